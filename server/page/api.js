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

/** GET, or POST where there is a body; JSON or text by the answer's media type. */
export async function ask(path, { body, signal } = {}) {
  const headers = { Accept: "*/*" };
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const method = body === undefined ? "GET" : "POST";
  let response, text;
  try {
    response = await fetch(address(path), { method, headers, body, signal, cache: "no-store" });
    text = await response.text();
  } catch (error) {
    throw error.name === "AbortError" ? error : new Unreachable("The server does not answer.");
  }
  const isJson = /json/.test(response.headers.get("Content-Type") ?? "");
  const content = isJson ? JSON.parse(text) : text;
  if (response.ok) return content;
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  throw new Refused(response.status, isJson ? content : { title: text }, retryAfter);
}
