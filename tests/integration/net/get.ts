// In a process of its own: asks for a URL by the guarded client, or by Node's fetch, and prints the
// status, or the code of what went wrong.
import { localOutbound } from "../../support/outbound.ts";

const [client, url = ""] = process.argv.slice(2);
const { http } = localOutbound();
try {
  const { status } =
    client === "guarded"
      ? await http.get(new URL(url), { signal: AbortSignal.timeout(10_000), maxBytes: 1_000 })
      : await fetch(url);
  console.log(status);
} catch (error) {
  const { code, cause } = error as { code?: string; cause?: { code?: string } };
  console.log(code ?? cause?.code);
}
