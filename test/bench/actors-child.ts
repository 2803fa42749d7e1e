/** A thousand actors in a process of its own, started with other flags of Node's; prints what they came to as JSON. */
import { createRuntime } from '../../src/index.ts'
import { measureMany } from './actors.ts'
import { counterMachine } from './counter-machine.ts'

const [path = '', name = ''] = process.argv.slice(2)
const runtime = await createRuntime({ path, machines: [counterMachine] })
console.log(JSON.stringify(await measureMany(runtime, { name, concurrency: 1000 })))
await runtime.close()
