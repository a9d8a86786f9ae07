import type { IsoDate } from "./calendar.ts";
import type { Task } from "./intent.ts";
import type { Place } from "./places.ts";
import type { Segment } from "./segments.ts";
import { daysOf, rangeOf } from "./tasks.ts";

function withPlace(task: Task, place: Place): readonly Task[] {
  switch (task.kind) {
    case "weather":
    case "holidays":
    case "now":
      return [{ ...task, place }];
    case "convert":
      return [{ ...task, to: place }];
    default:
      return [];
  }
}

function withDates(task: Task, segment: Segment, today: IsoDate): readonly Task[] {
  const { dates } = segment;
  const [first] = dates;
  if (first === undefined) return [];
  switch (task.kind) {
    case "weather":
      return [{ ...task, days: daysOf(segment, today) }];
    case "holidays":
      return [{ kind: "holidays", place: task.place, ...rangeOf(segment) }];
    case "now":
    case "weekday":
      return dates.map(({ from, words }) => ({ kind: "weekday", date: from, words }));
    case "next_weekday":
      return dates.flatMap(({ weekday }) =>
        weekday === undefined ? [] : [{ kind: "next_weekday", weekday }],
      );
    case "days_between":
      return [{ ...task, to: first.from, toWords: first.words }];
    case "shift":
      return [
        {
          ...task,
          date: first.from,
          words: `${task.words.replace(/ (?:from|after|before) .*$/i, "")} from ${first.words}`,
        },
      ];
    case "convert":
      return [{ ...task, datetime: first.from + task.datetime.slice(10) }];
  }
}

/** The questions of before about the places and dates of a follow-up; what is not new stays. */
export function refine(
  tasks: readonly Task[],
  places: readonly Place[],
  segment: Segment,
  today: IsoDate,
): readonly Task[] {
  // "and tomorrow?" behind weather and holidays asks for the weather.
  const weather = tasks.filter(({ kind }) => kind === "weather");
  const base = places.length === 0 && weather.length > 0 ? weather : tasks;
  const placed =
    places.length === 0 ? base : base.flatMap((task) => places.flatMap((place) => withPlace(task, place)));
  return segment.dates.length === 0 ? placed : placed.flatMap((task) => withDates(task, segment, today));
}
