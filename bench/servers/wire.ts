// What all servers of a comparison share: the tool that the model asks for, and its answer.

export const MODEL = "bench-model";
export const TOOL = "get_datetime";
export const TOOL_DESCRIPTION =
  "The current date, time, weekday and UTC offset in a time zone (the user's when left out).";
/** What the fake provider answers once it has seen the tool's result. */
export const REPLY = "It is time to measure, said the clock.";
export const QUESTION = "What time is it?";
export const SYSTEM_PROMPT = "You are a helpful assistant. Use the tools for what you can't know.";

export const CHAT_SERVICE = "/twirp/acai.chat.ChatService";

const TOOLS = [
  {
    type: "function",
    function: {
      name: TOOL,
      description: TOOL_DESCRIPTION,
      parameters: { type: "object", properties: { timezone: { type: "string" } } },
    },
  },
];

/** The body of a turn's model call, in OpenAI's format. */
export function chatRequest(messages: readonly object[]): object {
  return { model: MODEL, messages, tools: TOOLS };
}

/** How a turn begins. */
export function firstMessages(message: string): object[] {
  return [
    { role: "system", content: SYSTEM_PROMPT },
    { role: "user", content: message },
  ];
}

/** What the tool of the peers answers: a few microseconds, and the fields that Parley's has. */
export function currentTime() {
  const now = new Date().toISOString();
  return {
    timezone: "UTC",
    datetime: now,
    date: now.slice(0, 10),
    time: now.slice(11, 16),
    weekday: "Saturday",
    utc_offset: "+00:00",
  };
}
