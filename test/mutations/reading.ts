import { type Mutant, unit } from './mutant.ts'

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
    name: 'a closed reader takes keys',
    file: 'src/keys/dek-cache.ts',
    text: '    this.#isClosed = true\n',
    replacement: '',
    tests: unit('reader/open-many'),
  },
  {
    name: 'a reader reads as much at once as it is asked for',
    file: 'src/reader/room.ts',
    text: 'return this.#taken === 0 || this.#taken + amount <= this.#max',
    replacement: 'return true',
    tests: unit('reader/open-many', 'reader/room'),
  },
]
