/** What a lexical look at a function tells of it. */
export type FunctionShape = {
  readonly name: string
  readonly line: number
  /** Lines with code on them, without those of the named functions inside it. */
  readonly lines: number
  /** Of `if`, loops, `switch`, `try` inside each other. */
  readonly depth: number
}
