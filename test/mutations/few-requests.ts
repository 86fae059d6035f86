import { type Mutant, unit } from './mutant.ts'

/** Guards of what spares requests. */
export const fewRequests: readonly Mutant[] = [
  {
    name: 'a write fails for what another one is refused for',
    file: 'src/adapters/cassandra/gathered-writes.ts',
    text: 'if (isRefused && byCall.size > 1)',
    replacement: 'if (isRefused && byCall.size > 99)',
    tests: unit('adapters/cassandra/gathered-writes'),
  },
  {
    name: 'writes are answered with the first of their batches',
    file: 'src/adapters/cassandra/gathered-writes.ts',
    text: '  if (--call.left > 0) return\n',
    replacement: '  call.left--\n',
    tests: unit('adapters/cassandra/gathered-writes'),
  },
  {
    name: 'batches go over more partitions than a node takes without a warning',
    file: 'src/adapters/cassandra/gathered-writes.ts',
    text: 'partitions.size > PARTITIONS_PER_BATCH || ',
    replacement: '',
    tests: unit('adapters/cassandra/gathered-writes'),
  },
  {
    name: 'many segments are closed for their age behind as many that wait',
    file: 'src/pipeline/open-groups.ts',
    text: '    await this.#queue.calm()\n',
    replacement: '',
    tests: unit('pipeline/header-domains'),
  },
  {
    name: 'few segments are not closed for their age either',
    file: 'src/pipeline/publish-queue.ts',
    text: 'this.#segments > CROWD_SEGMENTS',
    replacement: 'this.#segments > 0',
    tests: unit('pipeline/header-domains'),
  },
  {
    name: 'a coordinator is taken for true for good',
    file: 'src/adapters/kafka/recent-coordinators.ts',
    text: ' && nowMs - recent.atMs < RECENT_MS',
    replacement: '',
    tests: unit('adapters/kafka/recent-coordinators'),
  },
  {
    name: 'an object that was refused is taken for put',
    file: 'src/adapters/s3/direct-requests.ts',
    text: 'return answer !== null\n',
    replacement: 'return true\n',
    tests: unit('adapters/s3/direct-put'),
  },
]
