import { referenceSinkContract } from '../../contracts/reference-sink.contract.ts'
import { MemoryReferenceSink } from '../../support/memory-reference-sink.ts'
import { valuesOf } from '../../support/record-runs.ts'

referenceSinkContract('the sink in memory', async () => {
  const committed = new Map<string, number>()
  const sink = new MemoryReferenceSink([], committed)
  return {
    ...{ sink, source: 'orders', output: 'orders.sealed' },
    async visible(partition) {
      const records = sink.publications.flatMap(({ records }) => records)
      return records
        .filter((record) => record.partition === partition)
        .flatMap(({ runs }) => valuesOf(runs).map((value) => [null, value] as const))
    },
    async committed(partition) {
      return committed.get(`orders/${partition}`) ?? null
    },
  }
})
