import type { IsoDate } from "../calendar.ts";
import type { Conversation } from "../conversation.ts";
import { isRemark, isTask, type Task } from "../intent.ts";
import { answerDate } from "./dates.ts";
import { answerHolidays } from "./holidays.ts";
import { answerRemark, answerRemarkBeside } from "./remarks.ts";
import type { Scene } from "./scene.ts";
import { answerWeather, compareWeather } from "./weather.ts";
import { type Words, wordsIn } from "./words.ts";

function answerTask(task: Task, scene: Scene): string {
  switch (task.kind) {
    case "weather":
      return answerWeather(task, scene);
    case "holidays":
      return answerHolidays(task, scene);
    default:
      return answerDate(task, scene);
  }
}

const NO_TODAY = "I can't find out today's date right now, so I can't answer that.";

function answerTasks(tasks: readonly Task[], conversation: Conversation & { today: IsoDate }, words: Words) {
  const scene = { conversation, words };
  const compared = tasks.flatMap((task) =>
    task.kind === "weather" && task.compare !== undefined ? [task] : [],
  );
  const comparison = compareWeather(compared, scene);
  const source = sourceOf(tasks, conversation);
  const answers = tasks.map((task) => answerTask(task, scene));
  return [comparison, ...new Set(answers), source].filter((part) => part !== undefined);
}

/** Weather services ask to be named where their data is shown. */
function sourceOf(tasks: readonly Task[], { calls }: Conversation): string | undefined {
  if (!tasks.some(({ kind }) => kind === "weather")) return undefined;
  const sources = calls.flatMap(({ name, isError, content }) =>
    name === "get_weather" && !isError ? (/"source":\s*"([^"\\]{1,60})"/.exec(content)?.[1] ?? []) : [],
  );
  return sources.length === 0 ? undefined : `Weather data: ${[...new Set(sources)].join(", ")}.`;
}

/** Words the answer to the last message from what its tool calls have brought. */
export function answer(conversation: Conversation, locale: string): string {
  const words = wordsIn(locale);
  const tasks = conversation.intents.filter(isTask);
  const remarks = conversation.intents.filter(isRemark);
  if (tasks.length === 0)
    return remarks.map((remark) => answerRemark(remark, conversation.introduced, words)).join("\n\n");
  const { today } = conversation;
  const parts = today === undefined ? [NO_TODAY] : answerTasks(tasks, { ...conversation, today }, words);
  return [...parts, ...remarks.map((remark) => answerRemarkBeside(remark, words))].join("\n\n");
}
