import { integration, type Mutant, type MutantTests, unit } from './mutant.ts'

const ofRuns: MutantTests = { project: 'unit', files: ['test/property/packed-runs.test.ts'] }

/** Guards of the mapping in packed runs. */
export const mapping: readonly Mutant[] = [
  {
    name: 'a damaged run is taken apart all the same',
    file: 'src/mapping/packed-run.ts',
    text: "  if (packed.readUInt32BE(1) !== checksum(run)) throw malformed('its checksum does not match')\n",
    replacement: '',
    tests: ofRuns,
  },
  {
    name: 'the checksum of a run leaves out what stands beside it',
    file: 'src/mapping/packed-run.ts',
    text: 'crc32(packed.subarray(HEAD_BYTES), crc32(covered))',
    replacement: 'crc32(packed.subarray(HEAD_BYTES))',
    tests: ofRuns,
  },
  {
    name: 'bytes behind the end of a run are passed over',
    file: 'src/mapping/packed-run.ts',
    text: "  if (cursor.at !== packed.length) throw malformed('bytes behind its end')\n",
    replacement: '',
    tests: ofRuns,
  },
  {
    name: 'a run goes on over frames that lie in another order',
    file: 'src/mapping/frame-runs.ts',
    text: '    (position[now] as number) >= (position[before] as number) + (length[before] as number)\n',
    replacement: '    true\n',
    tests: ofRuns,
  },
  {
    name: 'messages that two runs hold come twice',
    file: 'src/mapping/frame-runs.ts',
    text: '!overlap(held, run)',
    replacement: 'run !== held',
    tests: ofRuns,
  },
  {
    name: 'a run that is cut otherwise takes the place of another',
    file: 'src/adapters/cassandra/schema/0005-message-runs.ts',
    text: 'partition, base_offset, last_offset)',
    replacement: 'partition, base_offset)',
    tests: integration('mapping-store'),
  },
  {
    name: 'a swept segment keeps its runs',
    file: 'src/adapters/cassandra/segment-register.ts',
    text: '    await this.#connection.execute(DELETE_RUNS, key)\n',
    replacement: '',
    tests: integration('mapping-store'),
  },
  {
    name: 'worker threads write the mapping in another mode than is configured',
    file: 'workers/part.ts',
    text: 'systemClock, mappingMode)',
    replacement: "systemClock, 'rows')",
    tests: integration('runs'),
  },
  {
    name: 'one damaged mapping ends the verification of all',
    file: 'src/verify/mapping-check.ts',
    text: "    if (!isSealError(error, 'SEAL_MALFORMED')) throw error\n",
    replacement: '    throw error\n',
    tests: unit('verify/edges'),
  },
]
