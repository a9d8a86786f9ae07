import type { MessageEntity } from "grammy/types";
import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmFromMarkdown } from "mdast-util-gfm";
import { gfm } from "micromark-extension-gfm";
import { drawTable } from "./table.ts";

export interface FormattedText {
  readonly text: string;
  /** Ordered by offset; of those with one offset the longest is first. */
  readonly entities: readonly MessageEntity[];
}

type Root = ReturnType<typeof fromMarkdown>;
type Node = Root["children"][number];
type NodeOf<Type extends Node["type"]> = Extract<Node, { type: Type }>;
type Style = "bold" | "italic" | "strikethrough";
/** An entity without its place. */
type Format = MessageEntity extends infer E
  ? E extends unknown
    ? Omit<E, "offset" | "length">
    : never
  : never;

/**
 * Markdown (CommonMark and GitHub's extensions) as text with entities, which Telegram shows without
 * parsing anything. All words are kept, in order; what Telegram has no format for is written out.
 *
 * The entities keep to the Bot API's rules ("Formatting options"): styles are apart from code, links
 * and code from one another, quotes are not nested, and no two of a kind overlap.
 */
export function formatMarkdown(markdown: string): FormattedText {
  const source = markdown.toWellFormed();
  const root = fromMarkdown(source, { extensions: [gfm()], mdastExtensions: [gfmFromMarkdown()] });
  const writer = new Writer(source, definitionsOf(root));
  writer.blocks(root.children);
  return { text: writer.text, entities: apart(writer.entities) };
}

class Writer {
  text = "";
  readonly entities: MessageEntity[] = [];
  readonly #source: string;
  readonly #definitions: Definitions;
  /** Formats that are open where the text ends. */
  readonly #open = new Set<MessageEntity["type"]>();
  /** The places of formats that begin with the next text. */
  readonly #beginning: { offset: number }[] = [];
  /** Before each further line. */
  #indent = "";
  /** Line breaks that part the next text from the one before. */
  #gap = 0;

  constructor(source: string, definitions: Definitions) {
    this.#source = source;
    this.#definitions = definitions;
  }

  /** @param lines between two blocks: 2 leaves one empty. */
  blocks(nodes: readonly Node[], lines = 2): void {
    for (const node of nodes) {
      this.#separate(lines);
      this.#block(node);
    }
  }

  /** Blocks the first of which goes on in the line. */
  #blocksAfter([first, ...rest]: readonly Node[], lines: number): void {
    if (first) this.#block(first);
    this.blocks(rest, lines);
  }

  #separate(lines: number): void {
    if (this.text !== "") this.#gap = Math.max(this.#gap, lines);
  }

  #write(text: string): void {
    if (text === "") return;
    if (this.#gap > 0) this.text += "\n".repeat(this.#gap) + this.#indent;
    this.#gap = 0;
    for (const place of this.#beginning.splice(0)) place.offset = this.text.length;
    this.text += text.replaceAll("\n", `\n${this.#indent}`);
  }

  /** Formats what `write` writes; inside its own kind, or where it may not be, it does nothing. */
  #format(format: Format, write: () => void): void {
    const allowed = !this.#open.has(format.type) && !(format.type === "code" && this.#open.has("text_link"));
    if (!allowed) {
      write();
      return;
    }
    const place = { offset: Number.POSITIVE_INFINITY };
    this.#beginning.push(place);
    this.#open.add(format.type);
    write();
    this.#open.delete(format.type);
    const length = this.text.length - place.offset;
    if (length > 0) this.entities.push({ ...format, ...place, length });
    else this.#beginning.splice(this.#beginning.indexOf(place), 1);
  }

  #style(type: Style, nodes: readonly Node[]): void {
    this.#format({ type }, () => this.#inlines(nodes));
  }

  #block(node: Node): void {
    switch (node.type) {
      case "heading":
        this.#style("bold", node.children);
        break;
      case "blockquote":
        this.#format({ type: "blockquote" }, () => this.blocks(node.children));
        break;
      case "code":
        this.#code(node);
        break;
      case "list":
        this.#list(node);
        break;
      case "table":
        this.#table(node);
        break;
      case "thematicBreak":
        this.#write("———");
        break;
      case "definition":
        // One that nothing refers to would be lost.
        if (!this.#definitions.used.has(node)) this.#write(this.#sourceOf(node));
        break;
      case "footnoteDefinition":
        this.#write(`[${node.label ?? node.identifier}] `);
        this.#blocksAfter(node.children, 2);
        break;
      default:
        this.#inline(node);
        break;
    }
  }

  #inlines(nodes: readonly Node[]): void {
    for (const node of nodes) this.#inline(node);
  }

  #inline(node: Node): void {
    switch (node.type) {
      case "text":
        this.#write(node.value);
        break;
      case "strong":
        this.#style("bold", node.children);
        break;
      case "emphasis":
        this.#style("italic", node.children);
        break;
      case "delete":
        this.#style("strikethrough", node.children);
        break;
      case "inlineCode":
        this.#format({ type: "code" }, () => this.#write(node.value));
        break;
      case "break":
        this.#write("\n");
        break;
      case "link":
        this.#link(node.url, () => this.#inlines(node.children));
        break;
      case "linkReference":
        this.#link(this.#definitions.urlOf(node.identifier), () => this.#inlines(node.children));
        break;
      case "image":
        this.#link(node.url, () => this.#write(node.alt ?? ""));
        break;
      case "imageReference":
        this.#link(this.#definitions.urlOf(node.identifier), () => this.#write(node.alt ?? ""));
        break;
      case "footnoteReference":
        this.#write(`[${node.label ?? node.identifier}]`);
        break;
      case "html":
        this.#write(/^<br\s*\/?>$/i.test(node.value) ? "\n" : node.value);
        break;
      default:
        if ("children" in node) this.#inlines(node.children);
        else this.#write(this.#sourceOf(node));
    }
  }

  #code({ lang, meta, value }: NodeOf<"code">): void {
    // An unfinished fence may have its first words where the language's name would be.
    const isName = lang && !meta && /^[\w+#.-]{1,32}$/.test(lang);
    const first = lang && !isName ? `${[lang, meta].filter(Boolean).join(" ")}\n` : "";
    this.#pre(first + value, isName ? lang : undefined);
  }

  #pre(text: string, language?: string): void {
    const indent = this.#indent;
    this.#indent = "";
    this.#format({ type: "pre", ...(language && { language }) }, () => this.#write(text));
    this.#indent = indent;
  }

  #list({ children, ordered, start, spread }: NodeOf<"list">): void {
    const indent = this.#indent;
    for (const [index, item] of children.entries()) {
      this.#separate(index > 0 && spread ? 2 : 1);
      const box = item.checked === true ? "☑ " : item.checked === false ? "☐ " : "";
      const marker = ordered ? `${(start ?? 1) + index}. ` : "• ";
      this.#write((box && !ordered ? "" : marker) + box);
      this.#indent = `${indent}   `;
      this.#blocksAfter(item.children, item.spread ? 2 : 1);
      this.#indent = indent;
    }
  }

  /** As text of one width, which is the nearest thing to a table. */
  #table({ children }: NodeOf<"table">): void {
    const cell = (nodes: readonly Node[]) => {
      const writer = new Writer(this.#source, this.#definitions);
      writer.#inlines(nodes);
      const links = writer.entities.flatMap((entity) => (entity.type === "text_link" ? [entity.url] : []));
      return [writer.text.replace(/\s+/g, " ").trim(), ...links.map((url) => `(${url})`)].join(" ");
    };
    this.#pre(drawTable(children.map((row) => row.children.map(({ children }) => cell(children)))));
  }

  #link(url: string, write: () => void): void {
    if (this.#open.has("text_link")) {
      write();
      return;
    }
    const from = this.text.length;
    const linkable = isLinkable(url);
    if (linkable) this.#format({ type: "text_link", url }, write);
    else write();
    const shown = this.text.slice(from).trim();
    // Telegram makes links of addresses by itself.
    const same = [url, url.replace(/^(mailto:|https?:\/\/)/, "")].includes(shown);
    if (linkable && same) this.entities.pop();
    if (shown === "") this.#write(url);
    else if (!linkable && !same) this.#write(` (${url})`);
  }

  #sourceOf({ position }: Node): string {
    return this.#source.slice(position?.start.offset, position?.end.offset);
  }
}

/** Whether Telegram takes the address as that of a link: it is absolute, and of the web. */
function isLinkable(url: string): boolean {
  const { protocol, hostname } = URL.parse(url) ?? {};
  return (
    (protocol === "http:" || protocol === "https:") && /\w\.\w/.test(hostname ?? "") && url.length <= 2_048
  );
}

interface Definitions {
  readonly used: ReadonlySet<Node>;
  urlOf(identifier: string): string;
}

/** The addresses that references name; of two with one name the first counts (CommonMark, 4.7). */
function definitionsOf(root: Root): Definitions {
  const defined = new Map<string, NodeOf<"definition">>();
  const referred = new Set<string>();
  const visit = (node: Root | Node) => {
    if (node.type === "definition" && !defined.has(node.identifier)) defined.set(node.identifier, node);
    if (node.type === "linkReference" || node.type === "imageReference") referred.add(node.identifier);
    if ("children" in node) node.children.forEach(visit);
  };
  visit(root);
  return {
    used: new Set([...defined].filter(([name]) => referred.has(name)).map(([, node]) => node)),
    urlOf: (name) => defined.get(name)?.url ?? "",
  };
}

const CODE: ReadonlySet<string> = new Set<MessageEntity["type"]>(["code", "pre"]);
const STYLES: ReadonlySet<string> = new Set<Style>(["bold", "italic", "strikethrough"]);

/** The entities with their styles cut out where there is code. */
function apart(entities: readonly MessageEntity[]): MessageEntity[] {
  const code = entities.filter(({ type }) => CODE.has(type));
  return entities
    .flatMap((entity) => (STYLES.has(entity.type) ? without(entity, code) : [entity]))
    .sort((a, b) => a.offset - b.offset || b.length - a.length);
}

/** What is left of the entity outside `holes`, which are in order and apart. */
function without(entity: MessageEntity, holes: readonly MessageEntity[]): MessageEntity[] {
  const rest: MessageEntity[] = [];
  let offset = entity.offset;
  const end = entity.offset + entity.length;
  for (const hole of holes) {
    if (hole.offset >= end || hole.offset + hole.length <= offset) continue;
    if (hole.offset > offset) rest.push({ ...entity, offset, length: hole.offset - offset });
    offset = hole.offset + hole.length;
  }
  if (offset < end) rest.push({ ...entity, offset, length: end - offset });
  return rest;
}
