import type { Command } from 'commander'
import { type Comparison, compare, machineRatio, worseOf } from './compare.ts'
import { numberText } from './number-text.ts'
import { readResults } from './result-file.ts'

interface Flags {
  readonly all?: boolean
  readonly wall?: boolean
  readonly json?: boolean
}

/** How far the calibration of two runs may differ before a warning. */
const ALIKE_SHARE = 0.1
const WORSE_EXIT_CODE = 1

/** `npm run bench -- compare`. */
export function registerCompare(program: Command): void {
  program
    .command('compare')
    .description('Holds two results against each other; exit code 1 when the second is worse')
    .argument('<before>', 'result file, or a baseline')
    .argument('<after>', 'result file')
    .option('--all', 'also what is the same')
    .option('--wall', 'also fail for what a clock says: rates and latencies')
    .option('--json', 'data on stdout')
    .addHelpText(
      'after',
      '\nExample:\n  $ npm run bench -- compare bench/baselines/quick.json new.json',
    )
    .action((before: string, after: string, flags: Flags) => run(before, after, flags))
}

function run(beforePath: string, afterPath: string, flags: Flags): void {
  const [before, after] = [readResults(beforePath), readResults(afterPath)]
  const comparisons = compare(before, after)
  const worse = worseOf(comparisons, flags.wall ?? false)
  if (worse.length > 0) process.exitCode = WORSE_EXIT_CODE
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ comparisons, worse: worse.length })}\n`)
    return
  }
  const shown = comparisons.filter(({ verdict }) => flags.all || verdict !== 'same')
  process.stdout.write(`${[...heading(before, after), ...shown.map(lineOf)].join('\n')}\n`)
  const count = (verdict: string) => comparisons.filter((it) => it.verdict === verdict).length
  process.stdout.write(
    `${comparisons.length} figures: ${count('worse')} worse, ${count('better')} better, ${count('unclear')} unclear, ${count('same')} the same\n`,
  )
}

function heading(before: ReturnType<typeof readResults>, after: typeof before): string[] {
  const ratio = machineRatio(before, after)
  const isAlike = ratio !== null && Math.abs(ratio - 1) <= ALIKE_SHARE
  const machine = `machine: the same work takes ${ratio?.toFixed(2) ?? '?'} times the CPU`
  const warning = isAlike ? '' : '; not alike, so CPU figures say little'
  const commits = `commit ${before.machine.commit} -> ${after.machine.commit}`
  return [commits, machine + warning]
}

function lineOf({ name, unit, before, after, ratio, p, verdict }: Comparison): string {
  const change = `${ratio >= 1 ? '+' : ''}${((ratio - 1) * 100).toFixed(1)} %`
  const cells = [numberText(before), numberText(after), change, `p ${p.toFixed(3)}`]
  const numbers = cells.map((cell) => cell.padStart(12)).join('')
  return `${verdict.padEnd(9)}${`${name}, ${unit}`.padEnd(64)}${numbers}`
}
