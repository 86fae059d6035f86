import { spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Mutant, type MutantTests, mutated } from './mutant.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** What the tests of the product read. */
const COPIED = ['src', 'workers', 'test', 'docker', 'docs', 'examples', 'bench']
const RUN_MS_MAX = 180_000

/** What the tests said. */
export interface Outcome {
  readonly passed: number
  /** Names of the tests that failed, each with the first line of its failure. */
  readonly failed: readonly { readonly test: string; readonly reason: string }[]
  /** Files that could not even be run, or how the runner ended; null when all is well. */
  readonly broken: string | null
}

interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: readonly {
      readonly status: string
      readonly fullName: string
      readonly failureMessages: readonly string[]
    }[]
  }[]
}

/** A copy of the tree in a folder of its own, in which guards are taken away one at a time. */
export class Trial implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'sealstream-mutants-'))

  constructor() {
    const files = readdirSync(ROOT, { withFileTypes: true }).filter((entry) => entry.isFile())
    for (const name of [...COPIED, ...files.map((entry) => entry.name)]) {
      cpSync(join(ROOT, name), join(this.#folder, name), { recursive: true })
    }
    // A folder of its own, so that the caches of the runner stay apart.
    mkdirSync(join(this.#folder, 'node_modules'))
    for (const name of readdirSync(join(ROOT, 'node_modules'))) {
      if (name.startsWith('.vite')) continue
      symlinkSync(join(ROOT, 'node_modules', name), join(this.#folder, 'node_modules', name))
    }
  }

  /** Runs the tests as they are. */
  plainly(tests: MutantTests): Promise<Outcome> {
    return this.#run(tests)
  }

  /** Runs the tests of a mutant without its guard, and puts that back. */
  async without(mutant: Mutant): Promise<Outcome> {
    const path = join(this.#folder, mutant.file)
    const source = readFileSync(path, 'utf8')
    writeFileSync(path, mutated(mutant, source))
    try {
      return await this.#run(mutant.tests)
    } finally {
      writeFileSync(path, source)
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #run({ project, files }: MutantTests): Promise<Outcome> {
    const report = join(this.#folder, 'report.json')
    rmSync(report, { force: true })
    const vitest = join(this.#folder, 'node_modules/vitest/vitest.mjs')
    const args = [vitest, 'run', '--project', project, '--reporter=json', `--outputFile=${report}`]
    const child = spawn(process.execPath, [...args, '--bail=1', ...files], {
      cwd: this.#folder,
      stdio: 'ignore',
      timeout: RUN_MS_MAX,
    })
    const ended = await new Promise<string>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => resolve(signal ?? `code ${code}`))
    })
    if (!existsSync(report))
      return { passed: 0, failed: [], broken: `no report, ended by ${ended}` }
    return outcomeOf(JSON.parse(readFileSync(report, 'utf8')))
  }
}

function outcomeOf({ testResults }: Report): Outcome {
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults)
  const failed = tests.filter(({ status }) => status === 'failed')
  // A file that fails without a failed test was not run: it does not parse, or its set-up threw.
  const unrun = testResults.find(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  )
  return {
    passed: tests.filter(({ status }) => status === 'passed').length,
    failed: failed.map(({ fullName, failureMessages }) => ({
      test: fullName,
      reason: (failureMessages[0] ?? '').split('\n')[0] as string,
    })),
    broken: unrun === undefined ? null : (unrun.message.split('\n')[0] as string),
  }
}

/** Failures that say that the program is broken, not that a guard is missing. */
const BROKEN_PROGRAM = /^(SyntaxError|ReferenceError|TypeError|Error: Test timed out)/

/** Whether a test failed because the guard is missing; else why that cannot be said, in words. */
export function verdictOn({ failed, broken }: Outcome): { killed: boolean; words: string } {
  if (broken !== null) return { killed: false, words: `not run: ${broken}` }
  const telling = failed.find(({ reason }) => !BROKEN_PROGRAM.test(reason))
  if (telling !== undefined) return { killed: true, words: telling.test }
  const [first] = failed
  if (first !== undefined) return { killed: false, words: `wrong reason: ${first.reason}` }
  return { killed: false, words: 'no test noticed' }
}
