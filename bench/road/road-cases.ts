import type { RoadOptions } from './road.ts'

/** A measurement of the road, without where it runs. */
export type RoadCase = Pick<RoadOptions, 'messages' | 'size' | 'partitions' | 'domains' | 'mapping'>

/** What a case has unless it says otherwise. */
export const USUAL_CASE = { size: 1024, partitions: 8, domains: 0, mapping: 'rows' } as const

/** Along partitions, with the topic as the key domain. The first one is what the others are held against. */
export function partitionCases(base: RoadCase, counts = [1, 4, 16, 64]): RoadCase[] {
  return counts.map((partitions) => ({ ...base, partitions, domains: 0 }))
}

/** Along key domains by header, on the partitions of `base`. The first one is what the others are held against. */
export function domainCases(base: RoadCase, counts = [1, 10, 100, 1_000]): RoadCase[] {
  return counts.map((domains) => ({ ...base, domains }))
}
