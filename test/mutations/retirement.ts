import { type Mutant, unit } from './mutant.ts'

const dependents = unit('incident/dependents')

/** Guards of what is said to depend on a KEK no more, and of what is destroyed for good. */
export const retirement: readonly Mutant[] = [
  {
    name: 'what the bucket says is passed over when the index knows nothing of it',
    file: 'src/incident/dependents.ts',
    text: '    const isOtherwise = found !== null && !this.#isUnder(found.dek)\n',
    replacement: '    const isOtherwise = found === null || !this.#isUnder(found.dek)\n',
    tests: dependents,
  },
  {
    name: 'a rewrap that was cut off passes for done',
    file: 'src/incident/dependents.ts',
    text: "if (isWrap && this.#isUnder(record)) this.#deks.add(record, 'register')",
    replacement: '',
    tests: dependents,
  },
  {
    name: 'an upload that nobody can tell the key of is not told',
    file: 'src/incident/dependents.ts',
    text: '    await this.#tellUnnamedUploads()\n',
    replacement: '',
    tests: dependents,
  },
  {
    name: 'what is on record and was not met is taken for gone',
    file: 'src/incident/dependents.ts',
    text: '    if (!hasObject(entry) || this.#deks.isLive(dekId)) return\n',
    replacement: '    if (hasObject(entry) || this.#deks.isLive(dekId)) return\n',
    tests: dependents,
  },
]
