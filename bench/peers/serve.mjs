import { createServer } from "node:http";

/** Answers POST /turn with what `turn` makes of the message. */
export function serve(turn) {
  const server = createServer(async (request, response) => {
    try {
      let text = "";
      for await (const chunk of request.setEncoding("utf8")) text += chunk;
      const reply = await turn(JSON.parse(text).message);
      response.setHeader("content-type", "application/json").end(JSON.stringify({ reply }));
    } catch (error) {
      console.error(error);
      response.writeHead(500).end(String(error));
    }
  });
  server.listen(Number(process.env.PORT), "127.0.0.1");
}
