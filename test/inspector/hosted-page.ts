/** Stands in for Stately's hosted inspector: a page that runs the package's own browser receiver, and tells what it got. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Received } from './receiving.ts'

const modules = join(import.meta.dirname, '../../node_modules')

/** What the package imports and a receiver does not use. */
const UNUSED = [
  'fast-safe-stringify',
  'safe-stable-stringify',
  'isomorphic-ws',
  'partysocket',
  'superjson',
  '#uuid',
]

const imports = {
  '@statelyai/inspect': '/modules/@statelyai/inspect/dist/index.mjs',
  xstate: '/modules/xstate/dist/xstate.esm.js',
  ...Object.fromEntries(UNUSED.map((name) => [name, '/unused.js'])),
}

const PAGE = `<!doctype html>
<script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module">
import { createBrowserReceiver } from '@statelyai/inspect'
createBrowserReceiver().subscribe((message) => {
  fetch('/seen', { method: 'POST', body: JSON.stringify(message) })
})
</script>`

export type HostedPage = {
  readonly url: string
  readonly seen: readonly Received[]
  /** Every address that was asked for, with what the browser said of where it came from. */
  readonly asked: readonly { readonly url: string; readonly referer: string | undefined }[]
}

export async function hostedPage(): Promise<HostedPage> {
  const seen: Received[] = []
  const asked: { url: string; referer: string | undefined }[] = []
  const server = createServer((request, response) => {
    const { url = '/', headers } = request
    asked.push({ url, referer: headers.referer })
    const say = (type: string, body: string | Buffer): void => {
      response.writeHead(200, { 'content-type': type })
      response.end(body)
    }
    if (url === '/seen') {
      let body = ''
      request.setEncoding('utf8').on('data', (text: string) => (body += text))
      request.on('end', () => {
        seen.push(JSON.parse(body) as Received)
        say('text/plain', '')
      })
    } else if (url === '/unused.js') {
      say('text/javascript', 'export default { configure() {} }; export const stringify = 0, uuid = 0')
    } else if (url.startsWith('/modules/')) {
      readFile(join(modules, url.slice('/modules/'.length))).then(
        (file) => say('text/javascript', file),
        () => response.writeHead(404).end(),
      )
    } else say('text/html', PAGE)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as { port: number }
  return { url: `http://127.0.0.1:${port}/inspect`, seen, asked }
}
