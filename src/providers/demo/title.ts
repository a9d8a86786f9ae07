import { capitalised, inPlace } from "./answer/words.ts";
import { isTask, type Task } from "./intent.ts";
import { understand } from "./understand.ts";

/** Unicode code points. */
const MAX_LENGTH = 80;

/** Titles name the user's words, never a date worked out from them: any day will do. */
const READING = { today: "2000-01-01", monthFirst: false };

const LIST = new Intl.ListFormat("en-GB", { type: "conjunction" });

function subjectOf(task: Task): { noun: string; place?: string } {
  switch (task.kind) {
    case "weather":
      return { noun: "weather", place: task.place?.name };
    case "holidays":
      return {
        noun: task.countdown === true ? "days until the next holiday" : "holidays",
        place: task.place?.name,
      };
    case "now":
      return { noun: task.ask, place: task.place?.name };
    case "weekday":
      return { noun: /\d/.test(task.words) ? `weekday of ${task.words}` : `date of ${task.words}` };
    case "next_weekday":
      return { noun: `next ${task.weekday}` };
    case "days_between":
      if (task.fromWords === undefined) return { noun: `days until ${task.toWords}` };
      return {
        noun:
          task.toWords === "today"
            ? `days since ${task.fromWords}`
            : `days between ${task.fromWords} and ${task.toWords}`,
      };
    case "shift":
      return {
        noun: `${(task.amount.hours ?? task.amount.minutes) === undefined ? "date" : "time"} ${task.words}`,
      };
    case "convert":
      return { noun: `time in ${LIST.format([task.from, task.to].flatMap((place) => place?.name ?? []))}` };
  }
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string, wordOf: (item: T) => string) {
  const groups = new Map<string, Set<string>>();
  for (const item of items) {
    const values = groups.get(keyOf(item)) ?? new Set();
    groups.set(keyOf(item), values.add(wordOf(item)));
  }
  return [...groups].map(([key, values]) => ({ key, values: LIST.format(values) }));
}

/** "Weather and holidays in Barcelona", "Weather in Paris and Rome" */
function phrase(tasks: readonly Task[]): string {
  const subjects = tasks.map(subjectOf);
  const nounsByPlace = grouped(
    subjects,
    ({ place }) => place ?? "",
    ({ noun }) => noun,
  );
  // What two places share is said once.
  const placesByNouns = grouped(
    nounsByPlace,
    ({ values }) => values,
    ({ key }) => key,
  );
  return LIST.format(
    placesByNouns.map(({ key: nouns, values: places }) =>
      places === "" ? nouns : `${nouns} ${inPlace(places)}`,
    ),
  );
}

function cut(text: string): string {
  const points = [...text];
  if (points.length <= MAX_LENGTH) return text;
  const kept = points.slice(0, MAX_LENGTH - 1).join("");
  return `${kept.replace(/\s+\S{0,20}$/, "")}…`;
}

/** A noun phrase of at most 80 code points for a conversation that begins with this message. */
export function titleOf(message: string): string {
  const { intents } = understand(message, READING);
  if (intents.some(({ kind }) => kind === "about")) return "What Parley's demo model can do";
  const tasks = intents.filter(isTask);
  if (tasks.length > 0) return cut(capitalised(phrase(tasks)));
  const [line = ""] = message.trim().slice(0, 1_000).split("\n");
  const words = line.replace(/\s+/g, " ").replace(/[\s.,;:!?]+$/, "");
  return words === "" ? "New conversation" : cut(capitalised(words));
}
