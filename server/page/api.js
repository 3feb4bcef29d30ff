// Requests to the server that this page came from. Addresses are relative, so the page also works
// below a prefix of a proxy.

const STORED_KEY = "irrepd-key";
let key = sessionStorage.getItem(STORED_KEY) ?? "";

export const getKey = () => key;

/** Keeps the key until the tab is closed; "" forgets it. */
export function setKey(text) {
  key = text.trim();
  if (key) sessionStorage.setItem(STORED_KEY, key);
  else sessionStorage.removeItem(STORED_KEY);
}

/** An answer that is an error; problem is the server's object (RFC 9457). */
export class Refused extends Error {
  constructor(status, problem, retryAfter) {
    super(problem.detail ?? problem.title ?? `HTTP status ${status}`);
    this.status = status;
    this.title = problem.title ?? "error";
    this.pointers = (problem.errors ?? []).map((error) => error.pointer).filter((p) => p !== "#");
    this.retryAfter = retryAfter;
  }
}

/** No answer at all. */
export class Unreachable extends Error {}

export const address = (path) => new URL(path, document.baseURI).href;

/** GET, or POST where there is a body, unless a method is named; JSON or text by the answer's media type. */
export async function ask(path, { body, method, signal } = {}) {
  const response = await send(path, body, signal, "*/*", method);
  const { text, isJson } = await read(response);
  return isJson ? JSON.parse(text) : text;
}

/** POSTs a body, and gives the events of the answer, a line of JSON each, as they come; when signal
 * aborts, the server ends what it does. */
export async function* follow(path, { body, signal }) {
  const response = await send(path, body, signal, "application/x-ndjson");
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    let part;
    try {
      part = await reader.read();
    } catch (error) {
      throw signal.aborted ? signal.reason : new Unreachable("The server has broken its answer off.");
    }
    if (part.done) return;
    const lines = (rest + part.value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line.trim()) yield JSON.parse(line);
  }
}

/** An answer that is none of an error. */
async function send(path, body, signal, accept, method = body === undefined ? "GET" : "POST") {
  const headers = { Accept: accept };
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(address(path), { method, headers, body, signal, cache: "no-store" });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Unreachable("The server does not answer.");
  }
  if (response.ok) return response;
  const { text, isJson } = await read(response);
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  throw new Refused(response.status, isJson ? JSON.parse(text) : { title: text }, retryAfter);
}

async function read(response) {
  const isJson = /json/.test(response.headers.get("Content-Type") ?? "");
  try {
    return { text: await response.text(), isJson };
  } catch (error) {
    throw error.name === "AbortError" ? error : new Unreachable("The server does not answer.");
  }
}
