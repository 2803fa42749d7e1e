/** A process that looks at a runtime as an inspector's page or a follower does, and makes nothing of it. */
import { WebSocket } from 'ws'
import { attach } from '../../src/attach/attach.ts'

const { url, socket, token } = JSON.parse(process.argv[2] ?? '{}') as {
  url?: string
  socket?: string
  token?: string
}
if (url !== undefined) {
  const page = new WebSocket(url)
  page.on('message', (data: Buffer) => void JSON.parse(data.toString()))
  page.once('open', () => process.send?.('looking'))
} else if (socket !== undefined && token !== undefined) {
  const { store } = await attach({ socket, token, client: 'bench' })
  process.send?.('looking')
  let last = 0
  for await (const { position } of store.follow({ fromPosition: 'now' })) last = position
  process.send?.(last)
}
