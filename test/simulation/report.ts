import { simulate } from './simulate.ts'
import type { RunOptions } from './world.ts'

const LINES_SHOWN = 60

/** What to know of a seed that failed: the promise, how it came to it, and how to see it again. */
export async function reportOf(options: RunOptions): Promise<string> {
  const lines = await traceOf(options)
  const { seed, mode, flaw } = options
  const again = `npm run test:simulate -- --seeds 1 --from ${seed} --mode ${mode}`
  return [
    ...lines.slice(-LINES_SHOWN),
    `seed ${seed}, ${mode}: ${(await simulate(options)).violation}`,
    `again, with all of the trace: ${again}${flaw ? ` --flaw ${flaw}` : ''} --trace`,
  ].join('\n')
}

/** Every line of a run. The same options give the same lines. */
export async function traceOf(options: RunOptions): Promise<string[]> {
  const lines: string[] = []
  await simulate({ ...options, onLine: (line) => lines.push(line) })
  return lines
}
