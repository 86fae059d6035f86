import { type Mutant, unit } from './mutant.ts'

/** Guards of KEK orders, rewraps, and readers that follow them. */
export const rotation: readonly Mutant[] = [
  {
    name: 'a new wrap is stored unverified',
    file: 'src/rewrap/rewrap-dek.ts',
    text: '  await verifyWrap(services, next, record)\n  return next\n',
    replacement: '  return next\n',
    tests: unit('rewrap/job'),
  },
  {
    name: 'what lies in the key directory is taken over unverified by a rewrap',
    file: 'src/rewrap/rewrap-dek.ts',
    text: '    await verifyWrap(services, found.dek, record)\n',
    replacement: '',
    tests: unit('rewrap/job'),
  },
  {
    name: 'look-ups do not hear of a new wrap',
    file: 'src/rewrap/rewrap-dek.ts',
    text: '  await register.noteWrap(next)\n',
    replacement: '',
    tests: unit('rewrap/kills'),
  },
  {
    name: 'a rewrap ends in the register before the key directory',
    file: 'src/rewrap/rewrap-dek.ts',
    text: '  if (taken === null) await directory.replace(next, revision)\n',
    replacement:
      '  await register.replaceWrap(next, record.wrapped)\n  if (taken === null) await directory.replace(next, revision)\n',
    tests: unit('rewrap/kills'),
  },
  {
    name: 'a job has no budget of KMS calls',
    file: 'src/keys/budgeted-kms.ts',
    text: '      await budget.take(1)\n      return kms.unwrap(...asked)\n',
    replacement: '      return kms.unwrap(...asked)\n',
    tests: unit('paced-budget'),
  },
  {
    name: 'a process starts under the configuration alone',
    file: 'src/keys/kek-follower.ts',
    text: '    const orders = await log.orders(0)\n',
    replacement: '    const orders: Awaited<ReturnType<typeof log.orders>> = []\n',
    tests: unit('keys/kek-follower'),
  },
  {
    name: 'the KEK of the key directory need not be on the allow-list',
    file: 'src/keys/unwrap-dek.ts',
    text: "  if (!isAllowed(current.kekId)) throw notAllowed(current.kekId, 'is by now')\n",
    replacement: '',
    tests: unit('reader/moved-keys'),
  },
  {
    name: 'an entry of the key directory may be that of another DEK',
    file: 'src/keys/unwrap-dek.ts',
    text: 'dek.dekId !== own.dekId || dek.keyDomain !== own.keyDomain',
    replacement: 'dek.wrapped.length === 0',
    tests: unit('reader/moved-keys'),
  },
  {
    name: 'a key of the cache serves another wrap of its DEK',
    file: 'src/keys/dek-cache.ts',
    text: 'metadata.keyDomain, wrap])',
    replacement: 'metadata.keyDomain])',
    tests: unit('reader/moved-keys', 'keys/dek-cache'),
  },
  {
    name: 'an altered wrap is passed over for the one in the key directory',
    file: 'src/keys/unwrap-dek.ts',
    text: "'SEAL_KMS_DENIED'] as const",
    replacement: "'SEAL_KMS_DENIED', 'SEAL_KEY_TAMPERED'] as const",
    tests: unit('reader/moved-keys'),
  },
  {
    name: 'a DEK made under the KEK of before an order is used',
    file: 'src/keys/create-dek.ts',
    text: 'if (kekOf(keyDomain) === kekId) return made',
    replacement: 'return made',
    tests: unit('keys/kek-follower'),
  },
  {
    name: 'an order is taken over though its KEK does not wrap',
    file: 'src/keys/kek-follower.ts',
    text: 'order.isContained ? null : await this.#refusalOf(orders)',
    replacement: 'null',
    tests: unit('keys/kek-follower'),
  },
  {
    name: 'a DEK counts for the KEK of now alone',
    file: 'src/incident/impact-scope.ts',
    text: 'kekId === undefined ? dek : reader.dekUnder(dek, kekId, kekVersion)',
    replacement: 'kekId === undefined || kekId === dek.kekId ? dek : null',
    tests: unit('incident/impact'),
  },
]
