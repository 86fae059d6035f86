import { type Mutant, unit } from './mutant.ts'

/** What makes the figures of the benchmarks trustworthy. */
export const benchmarks: readonly Mutant[] = [
  {
    name: 'a message of an open loop is charged from another time than it was meant to be sent at',
    file: 'bench/latency/timeline.ts',
    text: '((offset * partitions + partition) * 1000) / perSecond',
    replacement: '(offset * partitions * 1000) / perSecond',
    tests: unit('bench/timeline'),
  },
  {
    name: 'a difference counts that chance explains',
    file: 'bench/results/compare.ts',
    text: 'p >= thresholds.p',
    replacement: 'p > 1',
    tests: unit('bench/results'),
  },
  {
    name: 'a benchmark of the road passes with a message that has two references',
    file: 'bench/road/reference-tally.ts',
    text: '    else this.#faults.push(',
    replacement: '    else void (',
    tests: unit('bench/batches'),
  },
  {
    name: 'a benchmark of the road passes with a message that has no reference',
    file: 'bench/road/reference-tally.ts',
    text: 'return offset === -1 ? []',
    replacement: 'return offset !== -2 ? []',
    tests: unit('bench/batches'),
  },
  {
    name: 'names of figures go into the report as markup',
    file: 'bench/report/escape.ts',
    text: 'text.replace(/[&<>"\']/g, (character) => ESCAPES[character] as string)',
    replacement: 'text',
    tests: unit('bench/results'),
  },
  {
    name: 'the paper model forgets the segments of all but one key domain',
    file: 'bench/sizing/sizing-model.ts',
    text: '(lanes * domains) / DEFAULTS.segmentSeconds',
    replacement: 'lanes / DEFAULTS.segmentSeconds',
    tests: unit('bench/sizing'),
  },
  {
    name: 'all storage has the price of its first tier',
    file: 'src/service-costs.ts',
    text: 'below = gbMax',
    replacement: 'below = 0',
    tests: unit('bench/sizing'),
  },
]
