import { type Mutant, type MutantTests, unit } from './mutant.ts'

const lists: MutantTests = { project: 'unit', files: ['test/property/reference-list.test.ts'] }

/** Guards of readers and of the consumer over them. */
export const reading: readonly Mutant[] = [
  {
    name: 'a reference may name any object of the bucket',
    file: 'src/reader/sealed-reader.ts',
    text: 'paths === undefined || paths.some((path) => reference.object.startsWith(path))',
    replacement: 'true',
    tests: unit('reader/open-many'),
  },
  {
    name: 'a prefix is that of another folder too',
    file: 'src/reader/sealed-reader.ts',
    text: '}/segments/`',
    replacement: '}`',
    tests: unit('reader/open-many'),
  },
  {
    name: 'a reference of another partition passes',
    file: 'src/reader/sealed-reader.ts',
    text: 'if (topic === source.topic && partition === source.partition) return',
    replacement: 'if (topic === source.topic) return',
    tests: unit('reader/open-many'),
  },
  {
    name: 'whatever the store answers is taken for the bytes',
    file: 'src/adapters/s3/direct-requests.ts',
    text: 'if (answer?.statusCode === PARTIAL_CONTENT) return answer',
    replacement: 'if (answer !== null) return answer',
    tests: unit('adapters/s3/direct-get'),
  },
  {
    name: 'a closed reader takes keys',
    file: 'src/keys/dek-cache.ts',
    text: '    this.#isClosed = true\n',
    replacement: '',
    tests: unit('reader/open-many'),
  },
  {
    name: 'a value names any amount of bytes',
    file: 'src/format/reference-list.ts',
    text: 'if (messages > 1 && bytes > LIST_FRAMES_BYTES_MAX)',
    replacement: 'if (messages < 0)',
    tests: lists,
  },
  {
    name: 'a value names places that no segment has',
    file: 'src/format/reference-list.ts',
    text: 'if (!isFit) throw',
    replacement: 'if (length < 0) throw',
    tests: lists,
  },
  {
    name: 'what is passed over at the end of a record is resolved with the record in front',
    file: 'src/adapters/kafka/sealed-batch-run.ts',
    text: 'if (entry.isLast && handed === entry.record)',
    replacement: 'if (entry.record === null)',
    tests: unit('adapters/kafka/sealed-batch-run'),
  },
  {
    name: 'a record is resolved with the first message that it names',
    file: 'src/adapters/kafka/record-slices.ts',
    text: 'resolves: isLast ? own : before, isLast',
    replacement: 'resolves: own, isLast',
    tests: unit('adapters/kafka/sealed-batch-run'),
  },
  {
    name: 'a reader reads as much at once as it is asked for',
    file: 'src/reader/room.ts',
    text: 'return this.#taken === 0 || this.#taken + amount <= this.#max',
    replacement: 'return true',
    tests: unit('reader/open-many', 'reader/room'),
  },
  {
    name: 'what was not handed over is resolved when a user resolves a part alone',
    file: 'src/adapters/kafka/sealed-batch-run.ts',
    text: 'if (!isResolved && !eachBatchAutoResolve) return false',
    replacement: '',
    tests: unit('adapters/kafka/sealed-batch-run'),
  },
  {
    name: 'a message that does not open is passed over without a policy',
    file: 'src/reader/error-policy.ts',
    text: "const policy = policies[kind] ?? DEFAULT_POLICIES[kind] ?? 'stop'\n  if (policy === 'retry') return 'stop'",
    replacement:
      "const policy = policies[kind] ?? DEFAULT_POLICIES[kind] ?? 'skip'\n  if (policy === 'retry') return 'stop'",
    tests: unit('adapters/kafka/sealed-batch-run'),
  },
  {
    name: 'a message is passed over before its dead letter is kept',
    file: 'src/adapters/kafka/sealed-batch-run.ts',
    text: 'await beating(keeping, this.#payload.heartbeat, this.#services.clock)',
    replacement: 'keeping.catch(() => {})',
    tests: unit('adapters/kafka/sealed-batch-run'),
  },
  {
    name: 'messages are handed to a consumer that was sent elsewhere',
    file: 'src/adapters/kafka/sealed-batch-run.ts',
    text: 'return !this.#payload.isRunning() || this.#payload.isStale()',
    replacement: 'return !this.#payload.isRunning()',
    tests: unit('adapters/kafka/sealed-batch-run'),
  },
  {
    name: 'a consumer of our making reads what was never committed',
    file: 'src/adapters/kafka/sealed-consumer.ts',
    text: '{ ...config, readUncommitted: false }',
    replacement: 'config',
    tests: unit('adapters/kafka/sealed-consumer'),
  },
  {
    name: 'the message that a loop is left on is resolved',
    file: 'src/adapters/kafka/message-hand-over.ts',
    text: 'this.#taken?.refuse(nobodyTakes())',
    replacement: 'this.#taken?.done()',
    tests: unit('adapters/kafka/sealed-consumer', 'adapters/kafka/message-hand-over'),
  },
  {
    name: 'references are taken for those of whatever source they name',
    file: 'src/adapters/kafka/sealed-batch-run.ts',
    text: 'signal, source: this.#source }',
    replacement: 'signal }',
    tests: unit('adapters/kafka/sealed-consumer', 'adapters/kafka/sealed-batch-run'),
  },
  {
    name: 'a shredded message counts as one whose key may come back',
    file: 'src/errors.ts',
    text: "SEAL_SHREDDED: 'destroyed'",
    replacement: "SEAL_SHREDDED: 'key-unavailable'",
    tests: { project: 'unit', files: ['test/unit/error-kinds.test.ts'] },
  },
]
