import { type CpuSeconds, cpuSecondsOf } from '../../examples/demo/cpu-time.ts'
import type { BenchStack } from '../bench-stack.ts'

/** CPU microseconds a unit of work, of this process and of the services, and units a second; by repeat. */
export interface ServiceCost {
  readonly cpu: Readonly<Record<string, readonly number[]>>
  readonly perSecond: readonly number[]
}

/** Runs `work`, which answers how many units it did, once unmeasured and then `repeats` times. */
export async function serviceCost(
  { processes }: BenchStack,
  services: readonly (keyof BenchStack['processes'])[],
  repeats: number,
  work: () => Promise<number>,
): Promise<ServiceCost> {
  const cpu: Record<string, number[]> = { client: [] }
  for (const name of services) cpu[name] = []
  const perSecond: number[] = []
  const leaders = Object.fromEntries(services.map((name) => [name, processes[name]]))
  for (let repeat = -1; repeat < repeats; repeat++) {
    const [own, before, beganMs] = [process.cpuUsage(), cpuSecondsOf(leaders), performance.now()]
    const units = await work()
    const elapsedMs = performance.now() - beganMs
    const { user, system } = process.cpuUsage(own)
    const after = cpuSecondsOf(leaders)
    if (repeat < 0) continue
    cpu.client?.push((user + system) / units)
    for (const name of services) cpu[name]?.push(usBetween(before, after, name) / units)
    perSecond.push((units * 1000) / elapsedMs)
  }
  return { cpu, perSecond }
}

function usBetween(before: CpuSeconds | null, after: CpuSeconds | null, name: string): number {
  return ((after?.[name] ?? 0) - (before?.[name] ?? 0)) * 1e6
}
