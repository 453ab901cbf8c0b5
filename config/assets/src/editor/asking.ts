// Asking the server, and what it refuses in words a person can use.

/** What the server will not do. `hint` says what helps. */
export class Refused extends Error {
  readonly hint: string;

  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    hint: string,
  ) {
    super(detail);
    this.hint = forPeople(hint);
  }
}

/** A hint without what stands in brackets for clients of the API; the templates' filter `for_people` does the same. */
export function forPeople(hint: string): string {
  return hint.replace(/ \((?:(?:GET|POST|PUT|PATCH|DELETE) \/|Retry-After)[^)]*\)/g, "");
}

export interface Answer<Body> {
  body: Body;
  etag: string;
}

/** JSON of an address below the tenant's own api/. Raises Refused, also when nothing answers. */
export async function ask<Body>(path: string, options: { method?: string; body?: unknown; etag?: string } = {}): Promise<Answer<Body>> {
  const headers: Record<string, string> = {};
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (options.etag) headers["If-Match"] = options.etag;
  const body = options.body === undefined ? undefined : JSON.stringify(options.body);
  const response = await send(path, { method: options.method ?? "GET", headers, body });
  return { body: (await response.json()) as Body, etag: response.headers.get("ETag") ?? "" };
}

/** The answer of an address below the tenant's own api/. Raises Refused, also when nothing answers. */
export async function send(path: string, options: RequestInit): Promise<Response> {
  let response = await once(path, options);
  if (response.ok) return response;
  let refused = await refusal(response);
  // Who signed in anew in another tab has another token; what is on this page stays.
  if (refused.code === "page_too_old" && (await renewed())) {
    response = await once(path, options);
    if (response.ok) return response;
    refused = await refusal(response);
  }
  throw refused;
}

async function once(path: string, options: RequestInit): Promise<Response> {
  const headers = new Headers(options.headers);
  headers.set("Accept", "application/json");
  if (options.method !== "GET") headers.set("X-CSRFToken", document.body.dataset.csrf ?? "");
  return fetched(`${document.body.dataset.api}/${path}`, { ...options, headers });
}

async function fetched(address: string, options: RequestInit): Promise<Response> {
  try {
    return await fetch(address, { ...options, credentials: "same-origin" });
  } catch {
    throw new Refused(0, "unreachable", "The server could not be reached.", "Nothing is lost: look at your connection, and try again.");
  }
}

/** Takes the token of this session from the page as it is now; whether there is one. Raises Refused. */
async function renewed(): Promise<boolean> {
  const page = new DOMParser().parseFromString(await (await fetched(location.href, {})).text(), "text/html");
  const { csrf, member } = page.body.dataset;
  if (!csrf) return false;
  // People share the computer beside a line: what one drew is not to be saved in the name of the next.
  if (member !== document.body.dataset.member)
    throw new Refused(403, "somebody_else", "Somebody else has signed in meanwhile.", "Sign in as yourself in another tab, come back, and try again: nothing here is lost.");
  document.body.dataset.csrf = csrf;
  document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": csrf }));
  return true;
}

async function refusal(response: Response): Promise<Refused> {
  if (response.status === 401)
    return new Refused(401, "signed_out", "You are signed out.", "Sign in in another tab, come back, and try again: nothing here is lost.");
  const told: Record<string, unknown> = await response.json().catch(() => ({}));
  const detail = typeof told.detail === "string" ? told.detail : `The server answered ${response.status}.`;
  const wait = response.headers.get("Retry-After");
  const hint = typeof told.hint === "string" && told.hint ? told.hint : wait ? `Try again in ${wait} s.` : "Try again.";
  return new Refused(response.status, String(told.code ?? ""), detail, hint);
}
