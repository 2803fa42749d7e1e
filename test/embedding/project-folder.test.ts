/** The project's folder: marked as ours, left alone where it is somebody else's, measured, and copied into a new format. */
import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createRuntime } from '../../src/index.ts'
import { projectFolder } from '../agents/project-folder.ts'
import { evidence } from '../cli/evidence.ts'
import { agentctl } from '../cli/in-process.ts'

const project = projectFolder()
const below = (name: string): string => join(project.path(), name)
const code = async (): Promise<unknown> =>
  project.open().then(
    () => 'opened',
    (error: { code: string }) => error.code,
  )

const recorded = async (): Promise<string> => {
  const runtime = await project.open()
  const { id } = await runtime.sessions.start({ role: 'supervisor', name: 'kept' })
  await runtime.close()
  return id
}

describe('a project’s folder', () => {
  test('says its format, and git leaves it alone; what the user wrote into .gitignore stays', async () => {
    await recorded()
    expect(await readFile(below('format'), 'utf8')).toBe('1\n')
    expect(await readFile(below('.gitignore'), 'utf8')).toBe('*\n')
    await writeFile(below('.gitignore'), 'log/\n')
    await rm(below('format'))
    // As an earlier version left it: no number.
    await recorded().catch(() => {})
    expect(await readFile(below('format'), 'utf8')).toBe('1\n')
    expect(await readFile(below('.gitignore'), 'utf8')).toBe('log/\n')
  })

  test('of a later version is refused, and nothing is written', async () => {
    await recorded()
    await writeFile(below('format'), '2\n')
    const before = await evidence(project.path())
    await expect(createRuntime({ path: project.path() })).rejects.toMatchObject({
      code: 'PROJECT_FORMAT',
      details: { format: 2 },
    })
    expect(await evidence(project.path())).toEqual(before)
  })

  test('that is a file of another tool is refused as what it is', async () => {
    await writeFile(project.path(), '<projectDescription/>')
    await expect(createRuntime({ path: project.path() })).rejects.toMatchObject({
      code: 'PROJECT_FOLDER_TAKEN',
      message: expect.stringContaining('is a file') as string,
    })
    expect(await readFile(project.path(), 'utf8')).toBe('<projectDescription/>')
    await expect(createRuntime({ path: below('deeper') })).rejects.toMatchObject({
      code: 'PROJECT_FOLDER_TAKEN',
    })
  })

  test.each([
    ['a file of theirs', 'settings.json', undefined],
    ['a folder of theirs', 'cache', 'entry'],
    ['a log of theirs', 'log', 'today.txt'],
    ['a format of theirs', 'format', undefined],
  ])('that holds %s is refused, and nothing is written', async (_what, name, inside) => {
    const file = inside === undefined ? below(name) : join(below(name), inside)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, 'theirs')
    expect(await code()).toBe('PROJECT_FOLDER_TAKEN')
    expect(await readdir(project.path())).toEqual([name])
  })

  test('that is empty, or whose creation was cut off, is taken', async () => {
    await mkdir(below('log'), { recursive: true })
    await writeFile(below('.gitignore'), '*\n')
    expect(await code()).toBe('opened')
  })

  test('is large: a warning says so when it is opened', async () => {
    await recorded()
    await mkdir(below('reports'))
    await writeFile(below('reports/large'), '')
    // Of a length, but without blocks: the disk holds nothing of it.
    await truncate(below('reports/large'), 1024 ** 3)
    const warned: string[] = []
    const quiet = { debug() {}, info() {}, error() {}, isLevelEnabled: () => false }
    await project.open({ logger: { ...quiet, warn: (_: object, message: string) => warned.push(message) } })
    expect(warned).toEqual([expect.stringContaining('takes 1.0 GB')])
    const told = await agentctl(['du', '--project', project.path()])
    expect(told.stdout).toMatch(/^ +1\.0 GB {2}reports \(1 file\)\n/)
    expect(told.stderr).toContain('archive --into')
  })
})

describe('agentctl du', () => {
  test('adds up the parts of the folder, also of one that is open', async () => {
    await project.open()
    const { stdout } = await agentctl(['du', '--json', '--project', project.path()])
    const { du } = JSON.parse(stdout) as {
      du: { format: number; bytes: number; parts: { name: string; bytes: number }[] }
    }
    expect(du).toMatchObject({ format: 1, large: false })
    expect(du.parts.map(({ name }) => name)).toEqual(expect.arrayContaining(['log', 'format', '.gitignore']))
    expect(du.parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(du.bytes)
  })

  test('says that there is no project', async () => {
    const told = await agentctl(['du', '--project', below('none')])
    expect(told).toMatchObject({ code: 4, stdout: '' })
  })
})

describe('agentctl migrate', () => {
  const into = (): string => join(project.path(), '..', 'moved', '.project')
  const migrate = () => agentctl(['migrate', '--into', into(), '--project', project.path()])

  test('copies a project of an earlier format into the present one, and changes nothing of the old', async () => {
    const id = await recorded()
    await rm(below('format'))
    const before = await evidence(project.path())
    const told = await migrate()
    expect(told.stderr).toBe('')
    expect(told.stdout).toMatch(/^copied \d+ events from format 0 to format 1 into /)
    expect(await evidence(project.path())).toEqual(before)
    const moved = await createRuntime({ path: into() })
    expect(await moved.sessions.byName('kept')).toMatchObject({ id })
    await moved.close()
    expect(await migrate()).toMatchObject({ code: 2 })
  })

  test('keeps nothing of a log that does not verify, and touches none that is open', async () => {
    await recorded()
    await using runtime = await project.open()
    expect(await migrate()).toMatchObject({ code: 5 })
    await runtime.close()
    const database = below('log/db')
    const name = (await readdir(database)).filter((file) => /\.(?:log|ldb)$/.test(file)).at(0) ?? ''
    const bytes = await readFile(join(database, name))
    bytes[Math.floor(bytes.length / 2)] = (bytes[Math.floor(bytes.length / 2)] ?? 0) ^ 0xff
    await writeFile(join(database, name), bytes)
    expect(await migrate()).toMatchObject({ code: 7 })
    expect(await readdir(dirname(into()))).toEqual([])
  })
})
