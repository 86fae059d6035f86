/** What one stage cost, in CPU microseconds a message. */
export interface Cost {
  readonly medianUs: number
  readonly minUs: number
  readonly maxUs: number
}

/** One line of the ladder. */
export interface Row extends Cost {
  readonly valueBytes: number
  readonly stage: string
}

const WARM_UP_RUNS = 3

/**
 * Runs `work` several times and gives the user and system CPU time of this process for one of its
 * `messages`, all threads included: wall time says little on a machine that is shared.
 */
export async function measure(
  work: () => unknown,
  messages: number,
  repeats: number,
): Promise<Cost> {
  for (let i = 0; i < WARM_UP_RUNS; i++) await work()
  const costs: number[] = []
  for (let i = 0; i < repeats; i++) {
    const before = process.cpuUsage()
    await work()
    const { user, system } = process.cpuUsage(before)
    costs.push((user + system) / messages)
  }
  costs.sort((a, b) => a - b)
  return {
    medianUs: costs[Math.floor(costs.length / 2)] as number,
    minUs: costs[0] as number,
    maxUs: costs.at(-1) as number,
  }
}

/** The rows as a table for a terminal. */
export function renderTable(machine: Record<string, unknown>, rows: readonly Row[]): string {
  const described = Object.entries(machine).map(([name, value]) => `${name} ${value}`)
  const lines = rows.map(({ valueBytes, stage, medianUs, minUs, maxUs }) => {
    const spread = `${minUs.toFixed(2)} to ${maxUs.toFixed(2)}`
    return `${String(valueBytes).padStart(6)} B  ${stage.padEnd(32)}${medianUs.toFixed(2).padStart(8)}   ${spread}`
  })
  const title = `${' '.repeat(10)}${'stages'.padEnd(32)}  median   spread, CPU us a message`
  return `${described.join(', ')}\n${[title, ...lines].join('\n')}\n`
}

/** One record of a v2 batch with a null key, the value and no headers, without its length. */
export function encodeRecord(value: Uint8Array): Buffer {
  const varint = (n: number): number[] => {
    const bytes: number[] = []
    let zigzag = n < 0 ? -2 * n - 1 : 2 * n
    for (; zigzag >= 0x80; zigzag = Math.floor(zigzag / 0x80)) bytes.push((zigzag & 0x7f) | 0x80)
    return [...bytes, zigzag]
  }
  const head = [0, ...varint(0), ...varint(0), ...varint(-1), ...varint(value.length)]
  return Buffer.concat([Buffer.from(head), value, Buffer.from(varint(0))])
}
