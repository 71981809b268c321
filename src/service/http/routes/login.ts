import { createHash } from 'node:crypto';
import { html, SafeHtml } from '../../../report/html-template.ts';
import { ApiError } from '../api-error.ts';
import { connection, type HttpApp, type HttpContext, type HttpParts, json, readBody } from '../context.ts';
import { CONTENT_SECURITY_POLICY } from '../guard.ts';
import { cookieHeader, sessionOfCookie } from '../session.ts';

const STYLE = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{margin:0;display:grid;place-items:center;min-height:100vh}
main{width:min(24rem,90vw)}h1{font-size:1.4rem}label{display:block;margin:1rem 0 .3rem}input,button{font:inherit;width:100%;box-sizing:border-box;padding:.6rem}
button{margin-top:1rem;cursor:pointer}.wrong{color:light-dark(#b3001b,#ff8f8f)}code{font-size:.9em}`;
const STYLE_HASH = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`;
const POLICY = CONTENT_SECURITY_POLICY.replace("style-src 'self'", `style-src ${STYLE_HASH}`);

/** Adds login and logout. */
export function addLoginRoutes(app: HttpApp, { sessions, files }: HttpParts): void {
  // The page has a view for it; what follows is for a build without the page, and for forms that are sent without it.
  app.get('/login', (context) => {
    const page = files.respond('/login', context.req.header('if-none-match') ?? null);
    return page === undefined
      ? loginPage(context, safeNext(context.req.query('next')), undefined)
      : context.newResponse(page.body, { status: page.status as 200, headers: page.headers });
  });

  app.post('/login', async (context) => {
    const isForm = (context.req.header('content-type') ?? '').startsWith('application/x-www-form-urlencoded');
    const body = await readBody(context);
    const { token, next } = isForm ? formFields(body) : jsonFields(body);
    const session = sessions.login(token, connection(context).incoming.socket.remoteAddress ?? '');
    if (session === undefined) {
      if (isForm) return loginPage(context, next, 'This is not the token.');
      throw new ApiError(401, 'login-required', 'this is not the token');
    }
    context.header('set-cookie', cookieHeader(session));
    return isForm ? context.redirect(next, 303) : json(context, {});
  });

  app.post('/logout', (context) => {
    const session = sessionOfCookie(context.req.header('cookie') ?? null);
    if (session !== undefined) sessions.logout(session);
    context.header('set-cookie', cookieHeader());
    return json(context, {});
  });
}

function loginPage(context: HttpContext, next: string, wrong: string | undefined): Response | Promise<Response> {
  const { text } = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in to synscope</title><style>${new SafeHtml(STYLE)}</style></head>
<body><main><h1>synscope</h1>
<form method="post" action="/login"><input type="hidden" name="next" value="${next}">
<label for="token">Token</label><input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
${wrong === undefined ? undefined : html`<p class="wrong" role="alert">${wrong}</p>`}
<button>Log in</button></form>
<p>It is the <code>page.token</code> of the configuration, or stands in the file <code>page-token</code> of the state folder.</p>
</main></body></html>
`;
  context.header('content-security-policy', POLICY);
  context.header('cache-control', 'no-store');
  return context.html(text, wrong === undefined ? 200 : 401);
}

function formFields(body: string): { readonly token: string; readonly next: string } {
  const form = new URLSearchParams(body);
  return { token: form.get('token')?.trim() ?? '', next: safeNext(form.get('next') ?? undefined) };
}

function jsonFields(body: string): { readonly token: string; readonly next: string } {
  try {
    const { token } = JSON.parse(body) as { readonly token?: unknown };
    if (typeof token === 'string') return { token, next: '/' };
  } catch {
    // Said below.
  }
  throw new ApiError(400, 'bad-body', 'the body is no JSON object with a token');
}

/** A path of this page; nothing that leads elsewhere (`//evil.example`, `/\evil.example`). */
function safeNext(next: string | undefined): string {
  return next !== undefined && /^\/(?![/\\])[^\s\\\p{Cc}]*$/u.test(next) ? next : '/';
}
