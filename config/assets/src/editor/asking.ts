// Asking the server, and what it refuses in words a person can use.

/** What the server will not do. `hint` says what helps. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly hint: string,
  ) {
    super(detail);
  }
}

export interface Answer<Body> {
  body: Body;
  etag: string;
}

/** JSON of an address below the tenant's own api/. Raises Refused, also when nothing answers. */
export async function ask<Body>(path: string, options: { method?: string; body?: unknown; etag?: string } = {}): Promise<Answer<Body>> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (options.method && options.method !== "GET") headers["X-CSRFToken"] = document.body.dataset.csrf ?? "";
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (options.etag) headers["If-Match"] = options.etag;
  let response: Response;
  try {
    response = await fetch(`${document.body.dataset.api}/${path}`, {
      method: options.method ?? "GET",
      headers,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      credentials: "same-origin",
    });
  } catch {
    throw new Refused(0, "unreachable", "The server could not be reached.", "Nothing is lost: look at your connection, and try again.");
  }
  if (!response.ok) throw await refusal(response);
  return { body: (await response.json()) as Body, etag: response.headers.get("ETag") ?? "" };
}

export async function refusal(response: Response): Promise<Refused> {
  if (response.status === 401)
    return new Refused(401, "signed_out", "You are signed out.", "Sign in in another tab, come back, and try again: nothing here is lost.");
  const told: Record<string, unknown> = await response.json().catch(() => ({}));
  const detail = typeof told.detail === "string" ? told.detail : `The server answered ${response.status}.`;
  const wait = response.headers.get("Retry-After");
  const hint = typeof told.hint === "string" && told.hint ? told.hint : wait ? `Try again in ${wait} s.` : "Try again.";
  return new Refused(response.status, String(told.code ?? ""), detail, hint);
}
