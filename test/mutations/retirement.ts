import { type Mutant, unit } from './mutant.ts'

const dependents = unit('incident/dependents')
const certificate = unit('incident/kek-certificate')
const shred = unit('incident/shred')

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
    text: 'if (!isBegun && (!hasObject(entry) || this.#deks.isLive(dekId))) return',
    replacement: 'if (!isBegun) return',
    tests: dependents,
  },
  {
    name: 'an object that a sleeping writer may bring yet is not told',
    file: 'src/incident/dependents.ts',
    text: "const isBegun = entry.state === 'intended'",
    replacement: 'const isBegun = false',
    tests: dependents,
  },
  {
    name: 'a byte of a statement may be another outside of what is signed',
    file: 'src/crypto/dsse.ts',
    text: '  if (render(signed, keyid, signature) !== text) {\n',
    replacement: '  if (render(signed, keyid, signature) === null) {\n',
    tests: unit('crypto/dsse'),
  },
  {
    name: 'any key may have signed a statement',
    file: 'src/crypto/dsse.ts',
    text: 'if (!verify(null, preAuthEncoding(envelope), publicKey, envelope.signature)) {',
    replacement: 'if (preAuthEncoding(envelope).length === 0) {',
    tests: unit('crypto/dsse'),
  },
  {
    name: 'the key that a statement names by itself is trusted',
    file: 'src/incident/statement.ts',
    text: "if ('fingerprint' in trusted && fingerprintOf(publicKey) !== trusted.fingerprint) {",
    replacement: "if ('fingerprint' in trusted && fingerprintOf(publicKey) === '') {",
    tests: certificate,
  },
  {
    name: 'a KEK that comes into use during the walk is not seen',
    file: 'src/incident/kek-certificate.ts',
    text: '  const users = await usersOfKek(sources.use, kek, dead)\n',
    replacement: '  const users = before\n',
    tests: certificate,
  },
  {
    name: 'a DEK that is made under the KEK during the walk is not seen',
    file: 'src/incident/kek-certificate.ts',
    text: 'const isUnused = users.length + newDeks + liveDeks + objects === 0',
    replacement: 'const isUnused = users.length + liveDeks + objects === 0',
    tests: certificate,
  },
  {
    name: 'copies that the store keeps are passed over in silence',
    file: 'src/incident/kek-certificate.ts',
    text: 'const isRetainedFine = this.#request.allowRetained || retainedObjects === 0',
    replacement: 'const isRetainedFine = this.#request.allowRetained || retainedObjects >= 0',
    tests: certificate,
  },
  {
    name: 'an encryptor that did not confirm the order passes for one that did',
    file: 'src/incident/kek-in-use.ts',
    text: 'else if (isFresh && (answer?.finishedAtMs ?? null) === null) {',
    replacement: 'else if (isFresh && answer === null) {',
    tests: certificate,
  },
  {
    name: 'readers hear of a shredded object only when it is gone for a while',
    file: 'src/incident/shred.ts',
    text: '      await marks.put({ segmentId, dekId, object: objectKey, atMs, by: this.#scope.actor })\n',
    replacement: '      void atMs\n',
    tests: shred,
  },
  {
    name: 'a segment that was re-encrypted is destroyed with the DEK of before',
    file: 'src/incident/shred.ts',
    text: '      if (holders[i] === dekId) await this.#remove(version, dekId)\n',
    replacement: '      await this.#remove(version, dekId)\n',
    tests: shred,
  },
  {
    name: 'objects under the DEK that no record names are left',
    file: 'src/incident/shred.ts',
    text: '      if (isOurs) await this.#remove(version, dekId)\n',
    replacement: '',
    tests: shred,
  },
  {
    name: 'missing rights pass for a retention',
    file: 'src/incident/shred.ts',
    text: '      if (untilMs === null) throw error\n      if (isCurrent)',
    replacement: '      if (untilMs === null) return\n      if (isCurrent)',
    tests: shred,
  },
  {
    name: 'a rewrap wraps what was shredded',
    file: 'src/rewrap/rewrap-dek.ts',
    text: 'if (record === null || record.wrapped.length === 0) return',
    replacement: 'if (record === null) return',
    tests: shred,
  },
  {
    name: 'messages pass for shredded when another segment was written over them',
    file: 'src/reencryption/shred-messages.ts',
    text: 'return chosen.every((isChosen, i) => isChosen === 0 || marked.has(position[i] as number))',
    replacement: 'return position.length > 0 && marked.size > 0',
    tests: unit('reencryption/shred-messages'),
  },
]
