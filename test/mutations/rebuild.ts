import { type Mutant, unit } from './mutant.ts'

const tests = unit('rebuild/rebuild')

/** Guards of what is written and proven from the bucket. */
export const rebuild: readonly Mutant[] = [
  {
    name: 'a rebuild that was stopped says that look-ups cover all',
    file: 'src/rebuild/rebuild.ts',
    text: '    if (isComplete && found.unreadObject === 0) await this.#ports.coverage?.end()\n',
    replacement: '    await this.#ports.coverage?.end()\n',
    tests,
  },
  {
    name: 'look-ups by source are not compared',
    file: 'src/rebuild/segment-rebuild.ts',
    text: 'await this.#ports.mapping.missingPlaces(place, found.frames)',
    replacement: '0',
    tests,
  },
  {
    name: 'a rebuilt segment is seen before all of it is on record',
    file: 'src/rebuild/segment-rebuild.ts',
    text: '    await writer.recordSealed(summaryOf(found))\n    await writer.recordIntent(intentOf(found))\n',
    replacement:
      '    await writer.recordIntent(intentOf(found))\n    await writer.recordSealed(summaryOf(found))\n',
    tests,
  },
  {
    name: 'a rebuilt segment comes without the mark that keeps a sweep from it',
    file: 'src/rebuild/segment-rebuild.ts',
    text: '    if (isPublished) await writer.recordPublished(found, timeOf(found))\n',
    replacement: '',
    tests,
  },
  {
    name: 'what no reference names is left to a sweep though it is nowhere else',
    file: 'src/rebuild/rebuild.ts',
    text: 'restore(found, !elsewhere.has(found))',
    replacement: 'restore(found, false)',
    tests,
  },
  {
    name: 'a reference topic that was created again is asked about what was before',
    file: 'src/rebuild/publications.ts',
    text: '      since.push(this.#oldest.get(topic) ?? Number.POSITIVE_INFINITY)\n',
    replacement: '      since.push(0)\n',
    tests,
  },
  {
    name: 'references that cannot be read in full are taken for all there are',
    file: 'src/rebuild/publications.ts',
    text: 'if (isReadable) publications.#completeSinceMs = completeSinceMs',
    replacement: 'publications.#completeSinceMs = 0',
    tests,
  },
  {
    name: 'a segment that an encryptor is at work on is taken for broken',
    file: 'src/rebuild/segment-state.ts',
    text: "return state === 'intended' && nowMs - version.modifiedAtMs < underWayMs",
    replacement: "return state === 'intended' && nowMs - version.modifiedAtMs < 0",
    tests,
  },
  {
    name: 'older versions are not looked at',
    file: 'src/incident/store-scan.ts',
    text: 'inspectSegment(objects, version.key, version.versionId)',
    replacement: 'inspectSegment(objects, version.key)',
    tests,
  },
  {
    name: 'the wrap of before takes the place of the one of now',
    file: 'src/rebuild/key-rebuild.ts',
    text: 'if (isOtherWrap) await keys.noteWrap(record)',
    replacement: 'if (isOtherWrap) await keys.recordDek(record)',
    tests,
  },
  {
    name: 'an impact is proven while objects cannot be read',
    file: 'src/rebuild/impact-proof.ts',
    text: 'isProven: this.#unread === 0 && deks.every(isSound)',
    replacement: 'isProven: deks.every(isSound)',
    tests: unit('rebuild/impact-proof'),
  },
  {
    name: 'an impact is proven though the index tells what no object holds',
    file: 'src/rebuild/impact-proof.ts',
    text: "    this.#add('extra', messageCount ?? (await this.#rowCount(entry)), objectKey, dekId)\n",
    replacement: '    await this.#rowCount(entry)\n',
    tests: unit('rebuild/impact-proof'),
  },
]
