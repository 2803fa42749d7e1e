/**
 * The page that joins a local inspector server to Stately's hosted one. It says first what it would hand over, and to
 * whom; the hosted page is loaded only then.
 */
import { createHash, randomBytes } from 'node:crypto'

export type BridgePage = { readonly html: string; readonly contentSecurityPolicy: string }

export type BridgePageOptions = {
  /** The hosted inspector. */
  readonly inspectorUrl: string
  /** What is handed to it, in a sentence. */
  readonly leaves: string
  /** `127.0.0.1:<port>` */
  readonly host: string
}

/** Everything the page says and does. It carries no secret: the token comes in the fragment of its address. */
export function bridgePage({ inspectorUrl, leaves, host }: BridgePageOptions): BridgePage {
  const { origin, hostname, protocol } = new URL(inspectorUrl)
  const nonce = randomBytes(16).toString('base64')
  const script = `
const inspectorUrl = ${asScript(inspectorUrl)}
const inspectorHost = ${asScript(hostname)}
const inspectorProtocol = ${asScript(protocol)}
const token = location.hash.slice(1)
// It stays in no history and in no address that is copied.
history.replaceState(null, '', location.pathname)
const state = (text) => { document.getElementById('state').textContent = text }
let target
let frame
const waiting = []
const hand = (message) => {
  if (target === undefined) waiting.push(message)
  else frame.contentWindow.postMessage(message, target)
}
window.addEventListener('message', (event) => {
  if (frame === undefined || event.source !== frame.contentWindow) return
  const from = new URL(event.origin)
  const isTheirs = from.protocol === inspectorProtocol &&
    (from.origin === new URL(inspectorUrl).origin || from.hostname.endsWith('.' + inspectorHost))
  if (!isTheirs || event.data === null || event.data.type !== '@statelyai.connected') return
  target = event.origin
  for (const message of waiting.splice(0)) hand(message)
})
const connect = () => {
  const socket = new WebSocket('ws://${host}/?token=' + encodeURIComponent(token))
  socket.onopen = () => state('connected')
  socket.onmessage = (event) => hand(JSON.parse(event.data))
  socket.onclose = (event) => state(event.code === 1006
    ? 'The process is not there, or does not know this page: open the address that it printed.'
    : 'The process has ended the connection.')
}
document.getElementById('load').addEventListener('click', () => {
  document.getElementById('notice').remove()
  frame = document.createElement('iframe')
  frame.id = 'inspector'
  frame.referrerPolicy = 'no-referrer'
  frame.src = inspectorUrl
  document.body.append(frame)
  connect()
})
`
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<title>Stately Inspector</title>
<style nonce="${nonce}">
* { box-sizing: border-box; margin: 0 }
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
html, body { height: 100% }
body { display: flex; flex-direction: column }
#notice { margin: auto; padding: 2rem; max-width: 40rem }
#notice > * + * { margin-top: 1rem }
button { font: inherit; padding: .5rem 1rem }
#state { padding: .1rem .5rem; font-size: .8rem }
iframe { flex: 1; width: 100%; border: 0 }
</style>
</head>
<body>
<main id="notice">
<h1>Before the inspector is loaded</h1>
<p>The inspector is a page of <strong>${asText(origin)}</strong>; it is loaded from there. This page then hands it, in
your browser, ${asText(leaves)}.</p>
<p>What that page does with them is up to it. Nothing has been loaded or handed over yet.</p>
<button id="load">Load ${asText(inspectorUrl)} and hand it over</button>
</main>
<p id="state" role="status"></p>
<script>${script}</script>
</body>
</html>
`
  const frames = `${origin} ${protocol}//*.${hostname}`
  const contentSecurityPolicy = [
    "default-src 'none'",
    `script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`,
    `style-src 'nonce-${nonce}'`,
    `connect-src ws://${host}`,
    `frame-src ${frames}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
  return { html, contentSecurityPolicy }
}

/** A literal that cannot end the script it stands in. */
function asScript(value: string): string {
  return JSON.stringify(value).replaceAll('<', String.raw`\u003c`)
}

function asText(value: string): string {
  return value
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
