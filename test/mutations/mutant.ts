/** A guard that is taken away on purpose, and the tests that must notice. */
export interface Mutant {
  /** What holds no longer, in a few words. */
  readonly name: string
  /** Path from the root of the repository. */
  readonly file: string
  /** Stands exactly once in the file. */
  readonly text: string
  readonly replacement: string
  readonly tests: MutantTests
}

/** The narrowest tests that must go red. */
export interface MutantTests {
  readonly project: 'unit' | 'vectors' | 'integration'
  /** Paths from the root of the repository. */
  readonly files: readonly string[]
}

/** Tests of the project that needs nothing but Node, by their path below test/unit. */
export function unit(...files: string[]): MutantTests {
  return { project: 'unit', files: files.map((file) => `test/unit/${file}.test.ts`) }
}

/** Tests on real services, by their path below test/integration. */
export function integration(...files: string[]): MutantTests {
  return { project: 'integration', files: files.map((file) => `test/integration/${file}.test.ts`) }
}

/** The source with the guard taken away. Throws when its text does not stand there exactly once. */
export function mutated({ name, file, text, replacement }: Mutant, source: string): string {
  const found = source.split(text).length - 1
  if (found === 1 && text !== replacement) return source.split(text).join(replacement)
  throw new Error(
    `mutant "${name}": its text stands ${found} times in ${file}, must be once and be changed`,
  )
}
