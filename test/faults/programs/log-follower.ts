/** Attaches to a socket (arguments: its path and token), asks for much, reads little of it, and says so; made to be killed. */
import { writeSync } from 'node:fs'
import { attach } from '../../../src/attach/attach.ts'

const [socket = '', token = ''] = process.argv.slice(2)
const { store } = await attach({ socket, token, client: 'follower' })
const begun = Array.from({ length: 10 }, () => store.follow()[Symbol.asyncIterator]())
for (const iterator of begun) await iterator.next()
writeSync(1, 'following\n')
setInterval(() => {}, 60_000)
