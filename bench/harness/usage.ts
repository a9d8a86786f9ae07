import { readdirSync, readFileSync, writeFileSync } from "node:fs";

/** CPU time that a process and its children have used so far, all threads together, in milliseconds; only Linux tells. */
export function cpuMs(pid: number): number | undefined {
  return sum(pid, (one) => {
    const tasks = readdirSync(`/proc/${one}/task`);
    // Its first number is nanoseconds on a CPU, where /proc/<pid>/stat counts in hundredths of a second.
    const times = tasks.map((task) =>
      Number(readFileSync(`/proc/${one}/task/${task}/schedstat`, "latin1").split(" ")[0]),
    );
    return times.reduce((total, ns) => total + ns, 0) / 1e6;
  });
}

/**
 * Memory that a process and its children have resident, in MB: now, and at most since {@link resetPeak};
 * only Linux tells. What they share counts for each.
 */
export function memoryMb(pid: number): { now: number; peak: number } | undefined {
  const megabytes = (name: string) =>
    sum(pid, (one) => {
      const status = readFileSync(`/proc/${one}/status`, "latin1");
      return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
    });
  const [now, peak] = [megabytes("VmRSS"), megabytes("VmHWM")];
  return now === undefined || peak === undefined ? undefined : { now, peak };
}

export function resetPeak(pid: number): void {
  // proc(5): 5 resets the peak resident set size. Without it the peak is that of the process's whole life.
  sum(pid, (one) => {
    writeFileSync(`/proc/${one}/clear_refs`, "5");
    return 0;
  });
}

function sum(pid: number, measure: (pid: number) => number): number | undefined {
  try {
    return [pid, ...childrenOf(pid)].reduce((total, one) => total + measure(one), 0);
  } catch {
    return undefined;
  }
}

/** The workers of a server that has some. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ").filter(Boolean).map(Number);
}
