/** What a file's name tells about its part in a project: test, fixture, generated, lock file. */

const LOCK_FILES = new Set(
  (
    'package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb deno.lock cargo.lock ' +
    'composer.lock gemfile.lock poetry.lock pdm.lock uv.lock pipfile.lock go.sum flake.lock mix.lock pubspec.lock ' +
    'packages.lock.json gradle.lockfile podfile.lock'
  ).split(' '),
)

const TEST_FOLDER =
  /(^|\/)(tests?|__tests__|specs?|e2e|cypress|test-?(utils|data|helpers|cases)|[\w-]+-tests?|bench(marks?)?|__mocks__|mocks?)\//i
const TEST_NAME =
  /([._-](test|spec|e2e|bench|stories|test-d|cy)s?\.\w+|_test\.\w+|(^|\/)(test_[^/]*\.py|conftest\.py))$/i
const FIXTURE_FOLDER =
  /(^|\/)(fixtures?|__fixtures__|__snapshots__|snapshots?|testdata|test-data|golden|samples?|templates?(-[^/]+)?|playgrounds?|cassettes)\//i
const VENDORED_FOLDER = /(^|\/)(vendor|vendored|third[_-]party|node_modules|bower_components|Pods|\.yarn)\//i
const GENERATED_NAME =
  /([.-]min\.(js|css|mjs|cjs)|\.(map|snap|svg|lock)|\.(generated|gen|pb|g)\.\w+|_pb2(_grpc)?\.py|\.pb\.go|_generated\.\w+)$/i
const GENERATED_FOLDER = /(^|\/)(__generated__|generated|dist|\.next|\.nuxt)\//i

export function isLockFile(file: string): boolean {
  return LOCK_FILES.has(baseName(file).toLowerCase())
}

export function isTestFile(file: string): boolean {
  return TEST_FOLDER.test(file) || TEST_NAME.test(file) || isFixture(file)
}

/** Input of tests and templates: written to be wrong, or to be filled in. */
export function isFixture(file: string): boolean {
  return FIXTURE_FOLDER.test(file)
}

/** Shown to readers, not shipped: what is wrong there matters less. */
export function isExample(file: string): boolean {
  return /(^|\/)(examples?|demos?|docs?|website|playgrounds?)\//i.test(file)
}

export function isGeneratedPath(file: string): boolean {
  return (
    isLockFile(file) || VENDORED_FOLDER.test(file) || GENERATED_NAME.test(file) || GENERATED_FOLDER.test(file)
  )
}

/** Files that say at their top that nobody writes them, or whose lines no person would write. */
export function isGeneratedText(text: string): boolean {
  const top = text.slice(0, 1200)
  if (
    /@generated\b|\bcode generated\b.*\bdo not edit\b|\bauto-?generated\b.{0,80}\b(do not|don't) (edit|modify)/is.test(
      top,
    )
  ) {
    return true
  }
  let newlines = 0
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) newlines += 1
  return text.length > 5000 && text.length / (newlines + 1) > 250
}

export function baseName(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1)
}

/** The folder of a file with its slash at the end; `''` for the root. */
export function folderOf(file: string): string {
  return file.slice(0, file.lastIndexOf('/') + 1)
}

export function extensionOf(file: string): string {
  const name = baseName(file)
  const dot = name.lastIndexOf('.')
  return dot <= 0 ? '' : name.slice(dot + 1).toLowerCase()
}
