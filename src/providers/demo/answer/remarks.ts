import type { Remark } from "../intent.ts";
import type { Words } from "./words.ts";

const EXAMPLE = "“What is the weather in Barcelona, and which holidays are next there?”";

const ABOUT = `I'm Parley's built-in demo model. I work offline by patterns and am not a real language model: I understand plain English questions about the weather, holidays, dates and times, and look the answers up with tools. Try ${EXAMPLE}

To talk to a real model, set OPENAI_API_KEY (or OPENAI_BASE_URL for a local server such as Ollama) and start Parley again.`;

const OUT_OF_REACH = `That is beyond me: I'm Parley's built-in demo model, which works offline by patterns and is not a real language model. I can answer questions about the weather, holidays, dates and times. Try ${EXAMPLE}

Setting OPENAI_API_KEY (or OPENAI_BASE_URL for a local server such as Ollama) connects a real model.`;

const OUT_OF_REACH_AGAIN =
  "That is beyond this demo model, too. Ask me about the weather, holidays, dates or times, as in “How many days until Christmas?”";

const OUT_OF_REACH_BESIDE =
  "The rest is beyond me: I'm only a demo model for weather, holidays, dates and times. Setting OPENAI_API_KEY connects a real one.";

/** @param introduced whether this conversation has been told before what the model is. */
export function answerRemark(remark: Remark, introduced: boolean, words: Words): string {
  switch (remark.kind) {
    case "greeting":
      return introduced
        ? "Hello again! What would you like to know about the weather, holidays, dates or times?"
        : `Hello! I'm Parley's built-in demo model, and I can look up the weather, holidays, dates and times. Try ${EXAMPLE}`;
    case "thanks":
      return "You're welcome! Ask me any time about the weather, holidays, dates or times.";
    case "bye":
      return "Goodbye!";
    case "about":
      return ABOUT;
    case "out_of_reach":
      return introduced ? OUT_OF_REACH_AGAIN : OUT_OF_REACH;
    case "which_topic": {
      const names = words.list(remark.places.map(({ name }) => name));
      return `What would you like to know about ${names}: the weather, the holidays or the time?`;
    }
    case "no_such_date":
      return `The calendar has no ${remark.words}, so I can't answer that.`;
  }
}

/** What could not be answered beside what could. */
export function answerRemarkBeside(remark: Remark, words: Words): string {
  return remark.kind === "out_of_reach" ? OUT_OF_REACH_BESIDE : answerRemark(remark, true, words);
}
