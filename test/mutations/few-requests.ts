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
    text: 'Promise.race([this.#queue.calm(closed), ',
    replacement: 'Promise.race([Promise.resolve(), ',
    tests: unit('pipeline/header-domains'),
  },
  {
    name: 'a group stays open for as long as there is a crowd',
    file: 'src/pipeline/open-groups.ts',
    text: '[this.#queue.calm(closed), clock.sleep(longerMs, closed)]',
    replacement: '[this.#queue.calm(closed)]',
    tests: unit('pipeline/header-domains'),
  },
  {
    name: 'a group stays open behind a crowd until it is too late to publish it',
    file: 'src/pipeline/open-groups.ts',
    text: 'Math.min(ageMs * CROWDED_AGES_MAX, publishWithinMs / 2)',
    replacement: 'ageMs * CROWDED_AGES_MAX',
    tests: unit('pipeline/header-domains'),
  },
  {
    name: 'a group that was closed is kept while there is a crowd',
    file: 'src/pipeline/publish-queue.ts',
    text: 'isCrowded() && !signal.aborted',
    replacement: 'isCrowded()',
    tests: unit('pipeline/publish-queue'),
  },
  {
    name: 'bytes of an upload leave before their places are durable',
    file: 'src/pipeline/part-worker.ts',
    text: "kind === 'part' ? [noting]",
    replacement: "kind === 'part' ? []",
    tests: unit('pipeline/part-worker'),
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
    file: 'src/adapters/s3/s3-object-store.ts',
    text: 'if (status === OK) return\n',
    replacement: 'if (status !== null) return\n',
    tests: unit('adapters/s3/direct-put'),
  },
  {
    name: 'an object is put again at once into a store that is busy',
    file: 'src/adapters/s3/s3-object-store.ts',
    text: 'if (isBusy(status)) throw',
    replacement: 'if (status === 1) throw',
    tests: unit('adapters/s3/direct-put'),
  },
]
