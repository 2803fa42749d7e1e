/** Opens a project folder and holds it until it is killed. Arguments: the folder. Prints `open` when it has it. */
import { createRuntime } from '../../../src/create-runtime.ts'

await createRuntime({ path: process.argv[2] ?? '' })
process.stdout.write('open\n')
setInterval(() => {}, 60_000)
