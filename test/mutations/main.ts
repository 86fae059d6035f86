import { parseArgs } from 'node:util'
import type { Mutant, MutantTests } from './mutant.ts'
import { mutants } from './mutants.ts'
import { Trial, verdictOn } from './trial.ts'

const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } })
const chosen = mutants.filter(({ name, file }) => `${name} ${file}`.includes(values.only))
const startedAtMs = performance.now()
let survivors = 0

/** The tests of these mutants as one run for each project. */
function together(of: readonly Mutant[]): MutantTests[] {
  const projects = [...new Set(of.map(({ tests }) => tests.project))]
  return projects.map((project) => {
    const files = of.flatMap(({ tests }) => (tests.project === project ? tests.files : []))
    return { project, files: [...new Set(files)] }
  })
}

function line(mark: string, ms: number, name: string, words: string): void {
  const seconds = `${(ms / 1000).toFixed(1)} s`
  process.stdout.write(
    `${mark.padEnd(9)}${seconds.padStart(7)}  ${name}\n${' '.repeat(18)}${words}\n`,
  )
}

using trial = new Trial()
for (const tests of together(chosen)) {
  const atMs = performance.now()
  const { passed, failed, broken } = await trial.plainly(tests)
  const isGreen = failed.length === 0 && broken === null && passed > 0
  const words = broken ?? failed[0]?.test ?? `${passed} tests pass with every guard in place`
  line(isGreen ? 'green' : 'NOT GREEN', performance.now() - atMs, `project ${tests.project}`, words)
  if (!isGreen) survivors++
}
for (const mutant of survivors > 0 ? [] : chosen) {
  const atMs = performance.now()
  const { killed, words } = verdictOn(await trial.without(mutant))
  line(killed ? 'red' : 'SURVIVES', performance.now() - atMs, mutant.name, words)
  if (!killed) survivors++
}
const tookS = ((performance.now() - startedAtMs) / 1000).toFixed(0)
process.stdout.write(
  survivors === 0
    ? `${chosen.length} guards: without each of them a test goes red (${tookS} s)\n`
    : `${survivors} of ${chosen.length} failed (${tookS} s)\n`,
)
process.exitCode = survivors === 0 && chosen.length > 0 ? 0 : 1
