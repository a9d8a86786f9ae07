/** The samples of a page in Prometheus' text format: their values by `name{labels}`, labels in order. */
export function readSamples(page: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of page.split("\n")) {
    const [, name, labels = "", value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined) continue;
    const sorted = [...labels.matchAll(/\w+="(?:[^"\\]|\\.)*"/g)].map(([label]) => label).sort();
    samples.set(sorted.length === 0 ? name : `${name}{${sorted.join(",")}}`, Number(value));
  }
  return samples;
}

/** The server's page, with the key that it asks for. */
export async function scrape(url: string, key?: string): Promise<string> {
  const headers = key === undefined ? undefined : { authorization: `Bearer ${key}` };
  const response = await fetch(`${url}/metrics`, { headers });
  if (response.status !== 200) throw new Error(`GET /metrics: ${response.status} ${await response.text()}`);
  return response.text();
}
