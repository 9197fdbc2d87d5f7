#!/bin/sh
# npm's pprof-format reads negative sample values as huge positive ones.
#
# Software: pprof-format 2.3.2 (npm).
# Input:    a valid profile.proto message with one sample of the values 5 and -5. Values are int64 in the schema; a
#           difference of two profiles has negative ones, and protobuf writes them as varints of ten bytes.
# Expected: 5 and -5, as protoc --decode and other readers say.
# Seen:     5 and 18446744073709551611.
# Follows:  an export that this reader may meet holds no negative value.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --prefix "$folder" pprof-format@2.3.2 >/dev/null
cat >read.mjs <<'JS'
import { Profile } from 'pprof-format';

// sample_type {type: 1, unit: 1}; sample {value: [5, -5]}; string_table ["", "x"]
const minusFive = [0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
const values = [5, ...minusFive];
const bytes = Uint8Array.from([
  0x0a, 4, 0x08, 1, 0x10, 1,
  0x12, values.length + 2, 0x12, values.length, ...values,
  0x32, 0, 0x32, 1, 0x78,
]);
const [first, second] = Profile.decode(bytes).sample[0].value;
console.log(`pprof-format 2.3.2: wrote 5 and -5, read ${first} and ${second}`);
process.exit(BigInt(first) === 5n && BigInt(second) === 18446744073709551611n ? 0 : 1);
JS
node read.mjs
