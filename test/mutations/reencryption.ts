import { integration, type Mutant, unit } from './mutant.ts'

/** Guards of what is re-encrypted in place. */
export const reencryption: readonly Mutant[] = [
  {
    name: 'an object is replaced whatever is there by now',
    file: 'src/adapters/s3/s3-object-store.ts',
    text: ': { IfMatch: replaces }',
    replacement: ': {}',
    tests: integration('object-store'),
  },
  {
    name: 'a segment is sealed anew before the intent is durable',
    file: 'src/reencryption/segment-reencryption.ts',
    text: '    await recordIntent(services, item, dek)\n',
    replacement: '',
    tests: unit('reencryption/kills'),
  },
  {
    name: 'a segment is re-encrypted under the DEK that it is to leave',
    file: 'src/reencryption/segment-reencryption.ts',
    text: '    if (record.dekId === header.dekId) {',
    replacement: '    if (false) {',
    tests: unit('reencryption/segment-reencryption'),
  },
  {
    name: 'new DEKs are of the kind that is to be left',
    file: 'src/reencryption/segment-reencryption.ts',
    text: '    if (leaving !== null && isUnder(record, leaving)) throw forbidden(record)\n',
    replacement: '',
    tests: unit('reencryption/segment-reencryption'),
  },
  {
    name: 'a footer that was forged is sealed anew',
    file: 'src/reencryption/segment-reencryption.ts',
    text: '      checkFooterTag(opened.footerKey, header, footer)\n',
    replacement: '',
    tests: unit('reencryption/segment-reencryption'),
  },
  {
    name: 'old versions stay',
    file: 'src/reencryption/old-versions.ts',
    text: '      await inventory.remove(version)\n',
    replacement: '',
    tests: unit('reencryption/segment-reencryption'),
  },
  {
    name: 'the version that readers get is removed with the old ones',
    file: 'src/reencryption/old-versions.ts',
    text: '    if (version.isCurrent) continue\n',
    replacement: '',
    tests: unit('reencryption/segment-reencryption'),
  },
  {
    name: 'nobody looks whether a frame was sealed right',
    file: 'src/reencryption/reseal-range.ts',
    text: 'if (to.open(bytes, at, length, seq, aad, work.check).equals(parcel)) return',
    replacement: 'if (parcel.length >= 0) return',
    tests: unit('reencryption/reseal-range'),
  },
  {
    name: 'a sweep takes the intent of a re-encryption for an orphan',
    file: 'src/incident/sweep-plan.ts',
    text: '  if (segment.replaces === null) return null\n',
    replacement: '  return null\n',
    tests: unit('incident/sweep-reencryption'),
  },
]
