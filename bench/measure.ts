/** What one stage cost, mostly in CPU microseconds a message. */
export interface Cost {
  readonly medianUs: number
  readonly minUs: number
  readonly maxUs: number
  /** Of all repeats, sorted. */
  readonly values: readonly number[]
}

/** One line of the ladder. */
export interface Row extends Cost {
  readonly valueBytes: number
  readonly stage: string
}

/** One thing to measure, and how many messages one run of it works on. */
export interface Work {
  readonly run: () => unknown
  readonly messages: number
}

const WARM_UP_RUNS = 3

/**
 * Runs every work several times, all in turns, so that a busy spell of the machine meets all of
 * them, and gives the user and system CPU time of this process for one message, all threads
 * included: wall time says little on a machine that is shared. Costs come in the order of `works`.
 */
export async function measureInTurns(works: readonly Work[], repeats: number): Promise<Cost[]> {
  const costs: number[][] = works.map(() => [])
  for (let turn = -WARM_UP_RUNS; turn < repeats; turn++) {
    for (const [i, { run, messages }] of works.entries()) {
      const before = process.cpuUsage()
      await run()
      const { user, system } = process.cpuUsage(before)
      if (turn >= 0) costs[i]?.push((user + system) / messages)
    }
  }
  return costs.map(costOf)
}

/** Median and spread of what the repeats cost; sorts them. */
export function costOf(costs: number[]): Cost {
  costs.sort((a, b) => a - b)
  return {
    medianUs: costs[Math.floor(costs.length / 2)] as number,
    minUs: costs[0] as number,
    maxUs: costs.at(-1) as number,
    values: costs,
  }
}

/** The rows of the ladder as a table for a terminal. */
export function renderLadder(rows: readonly Row[]): string {
  const lines = rows.map(({ valueBytes, stage, medianUs, minUs, maxUs }) => {
    const spread = `${minUs.toFixed(2)} to ${maxUs.toFixed(2)}`
    return `${String(valueBytes).padStart(6)} B  ${stage.padEnd(32)}${medianUs.toFixed(2).padStart(8)}   ${spread}`
  })
  const title = `${' '.repeat(10)}${'stages'.padEnd(32)}  median   spread, CPU us a message`
  return `${[title, ...lines].join('\n')}\n`
}
