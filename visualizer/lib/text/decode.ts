// SPDX-License-Identifier: MIT
/** Bytes to text without losing any: what is not UTF-8 is shown as \xNN. */

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function decodeText(bytes: Uint8Array): string {
  // Short ASCII is the common case and the decoder's call costs more than the loop.
  if (bytes.length < 64) {
    let text = '';
    let i = 0;
    for (; i < bytes.length && bytes[i] < 0x80; i++) text += String.fromCharCode(bytes[i]);
    if (i === bytes.length) return text;
  }
  try {
    return strict.decode(bytes);
  } catch {
    return decodeStray(bytes);
  }
}

/** Length of the well-formed UTF-8 sequence at AT, 0 when there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at];
  if (lead < 0x80) return 1;
  const length = lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  for (let i = 1; i < length; i++) if ((bytes[at + i] & 0xc0) !== 0x80) return 0;
  const second = bytes[at + 1];
  const overlong = (lead === 0xe0 && second < 0xa0) || (lead === 0xf0 && second < 0x90);
  const beyond = (lead === 0xed && second >= 0xa0) || (lead === 0xf4 && second >= 0x90);
  return overlong || beyond ? 0 : length;
}

function decodeStray(bytes: Uint8Array): string {
  let text = '';
  let from = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    text += strict.decode(bytes.subarray(from, at)) + strayByte(bytes[at]);
    from = ++at;
  }
  return text + strict.decode(bytes.subarray(from));
}

function strayByte(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0').toUpperCase()}`;
}

/** A session spells a byte that is not UTF-8 as U+10F800 + byte (all of them begin with this surrogate). */
const STRAY_LEAD = '\uDBFE';

export function showStray(text: string): string {
  if (!text.includes(STRAY_LEAD)) return text;
  return text.replace(/\uDBFE([\uDC00-\uDCFF])/g, (_, low: string) => strayByte(low.charCodeAt(0) - 0xdc00));
}
