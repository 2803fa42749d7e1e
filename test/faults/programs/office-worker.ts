/** Tells a story on a project folder, and kills itself with SIGKILL once so many events are on disk. Arguments: folder, story, position. */
import { createRuntime } from '../../../src/index.ts'
import { STORIES } from './office.ts'

const [path = '', name = '', dieAt = ''] = process.argv.slice(2)
const story = STORIES[name]
if (story === undefined) throw new Error(`there is no story "${name}"`)

const runtime = await createRuntime({ path, attach: false, logLevel: 'silent', ...story.options })
const die = (): void => void process.kill(process.pid, 'SIGKILL')
if (runtime.store.position() >= Number(dieAt)) die()
runtime.store.subscribe({ fromPosition: 'now' }).subscribe((event) => {
  if (event.position >= Number(dieAt)) die()
})
await story.tell(runtime)
// The end must not overtake the kill.
await new Promise(() => setInterval(() => {}, 1000))
