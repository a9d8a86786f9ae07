import { readdirSync, readFileSync, writeFileSync } from "node:fs";

/** CPU time that a process has used so far, all its threads together, in milliseconds; only Linux tells. */
export function cpuMs(pid: number): number | undefined {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    // Its first number is nanoseconds on a CPU, where /proc/<pid>/stat counts in hundredths of a second.
    const times = tasks.map((task) =>
      Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1").split(" ")[0]),
    );
    return times.reduce((sum, ns) => sum + ns, 0) / 1e6;
  } catch {
    return undefined;
  }
}

/** Memory that a process has resident, in MB: now, and at most since {@link resetPeak}; only Linux tells. */
export function memoryMb(pid: number): { now: number; peak: number } | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]);
    return { now: kilobytes("VmRSS") / 1024, peak: kilobytes("VmHWM") / 1024 };
  } catch {
    return undefined;
  }
}

export function resetPeak(pid: number): void {
  try {
    // proc(5): 5 resets the peak resident set size.
    writeFileSync(`/proc/${pid}/clear_refs`, "5");
  } catch {
    // Then the peak is that of the process's whole life.
  }
}
