// SPDX-License-Identifier: MIT
/**
 * Linkage names to what a person reads: Rust (legacy and v0) and C++ (Itanium), spelled as the CLI's demangler
 * (libiberty's) spells them, without return types and hashes. A name that is not understood to its end stays as it is.
 *
 * No library: the only npm package wraps a WebAssembly module that is larger than all other readers together.
 */

const MAX_OUTPUT = 8192;
const MAX_DEPTH = 200;
/** What substitutions and packs may add up to: short names can stand for exponentially long ones. */
const MAX_WORK = 200_000;
/** What the optimiser appends to copies and parts of a function. */
const SUFFIX = /\.(llvm|cold|isra|part|constprop|lto_priv)\b[\w.]*$/;

class NotMangled extends Error {}

function fail(): never {
  throw new NotMangled();
}

export function demangle(linkage: string): string {
  // The common case is a plain name.
  const start = /^_{1,3}[ZR]/.exec(linkage);
  if (!start || linkage.length > 16_384) return linkage;
  // A stub of the linker; the kernel's and a compiler's code as folded stacks mark it.
  const [, body, mark] = /^(.*?)(@plt|_\[[jk]\])?$/s.exec(linkage)!;
  const mangled = body.replace(SUFFIX, '').slice(start[0].length);
  try {
    const text = start[0].endsWith('R') ? new V0(mangled.replace(/\..*$/s, '')).symbol() : legacyRust(mangled) ?? new Itanium(mangled).symbol();
    return (text.length > MAX_OUTPUT ? `${text.slice(0, MAX_OUTPUT)}…` : text) + (mark ?? '');
  } catch (error) {
    if (error instanceof NotMangled || error instanceof RangeError) return linkage;
    throw error;
  }
}

/** A cursor, bounded in depth and in work. */
class Parser {
  protected at = 0;
  private depth = 0;
  private work = 0;
  constructor(protected readonly text: string) {}

  protected peek(): string {
    return this.text[this.at] ?? '';
  }
  protected get two(): string {
    return this.text.slice(this.at, this.at + 2);
  }
  protected take(): string {
    return this.text[this.at++] ?? fail();
  }
  protected eat(what: string): boolean {
    if (!this.text.startsWith(what, this.at)) return false;
    this.at += what.length;
    return true;
  }
  protected need(what: string): void {
    if (!this.eat(what)) fail();
  }
  protected digits(): number {
    const found = /^(0|[1-9]\d{0,8})/.exec(this.text.slice(this.at, this.at + 10)) ?? fail();
    this.at += found[0].length;
    return Number(found[0]);
  }
  protected slice(length: number): string {
    if (this.at + length > this.text.length) fail();
    return this.text.slice(this.at, (this.at += length));
  }
  protected spend(amount: number): void {
    if ((this.work += amount) > MAX_WORK) fail();
  }
  protected nested<T>(parse: () => T): T {
    if (++this.depth > MAX_DEPTH) fail();
    this.spend(1);
    try {
      return parse();
    } finally {
      this.depth--;
    }
  }
}

/* ---- Rust, legacy: a C++ nested name whose last part is a hash ---- */

const ESCAPES: Readonly<Record<string, string>> = { SP: '@', BP: '*', RF: '&', LT: '<', GT: '>', LP: '(', RP: ')', C: ',' };

function legacyRust(name: string): string | null {
  const mangled = name.replace(/E\.[\w.]+$/, 'E');
  if (!/17h[0-9a-f]{16}E$/.test(mangled) || mangled[0] !== 'N') return null;
  const parts: string[] = [];
  let at = 1;
  while (mangled[at] !== 'E') {
    const length = /^\d{1,6}/.exec(mangled.slice(at, at + 6))?.[0];
    if (!length) return null;
    at += length.length;
    parts.push(mangled.slice(at, at + Number(length)));
    at += Number(length);
  }
  if (at !== mangled.length - 1) return null;
  parts.pop();
  return parts.map((part) => part.replace(/^_\$/, '$').replace(/\$(\w+?)\$|\.\./g, (all, code?: string) => {
    if (code === undefined) return '::';
    return ESCAPES[code] ?? (/^u[0-9a-f]+$/.test(code) ? String.fromCodePoint(parseInt(code.slice(1), 16)) : all);
  })).join('::');
}

/* ---- Rust, v0 ---- */

const V0_TYPES: Readonly<Record<string, string>> = {
  a: 'i8', b: 'bool', c: 'char', d: 'f64', e: 'str', f: 'f32', h: 'u8', i: 'isize', j: 'usize', l: 'i32', m: 'u32', n: 'i128', o: 'u128', p: '_', s: 'i16', t: 'u16', u: '()', v: '...', x: 'i64', y: 'u64', z: '!',
};

class V0 extends Parser {
  private lifetimes = 0;

  symbol(): string {
    if (/[^\w]/.test(this.text)) fail();
    if (/\d/.test(this.peek())) fail(); // a later version of the scheme
    const path = this.path(true);
    if (this.at < this.text.length) this.path(false); // the crate that made the instance
    if (this.at < this.text.length) fail();
    return path;
  }

  /** `_` is 0, `0_` is 1, and so on in base 62. */
  private base62(): number {
    if (this.eat('_')) return 0;
    let value = 0;
    for (let c = this.take(); c !== '_'; c = this.take()) {
      const digit = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'.indexOf(c);
      if (digit < 0) fail();
      value = value * 62 + digit;
    }
    return value + 1;
  }
  private optional(tag: string): number {
    return this.eat(tag) ? this.base62() + 1 : 0;
  }
  private identifier(): string {
    const coded = this.eat('u');
    const length = this.digits();
    this.eat('_');
    const name = this.slice(length);
    return coded ? punycode(name) : name;
  }
  private back<T>(parse: () => T): T {
    const to = this.base62();
    const from = this.at;
    if (to >= from - 1) fail();
    this.at = to;
    const value = parse();
    this.at = from;
    return value;
  }

  private path(value: boolean): string {
    return this.nested(() => {
      const tag = this.take();
      switch (tag) {
        case 'C': this.optional('s'); return this.identifier();
        case 'M': case 'X': case 'Y': {
          if (tag !== 'Y') {
            this.optional('s');
            this.path(false); // where the impl stands
          }
          const type = this.type();
          return tag === 'M' ? `<${type}>` : `<${type} as ${this.path(false)}>`;
        }
        case 'N': {
          const space = this.take();
          const outer = this.path(value);
          const index = this.optional('s');
          const name = this.identifier();
          if (!/[A-Z]/.test(space)) return name ? `${outer}::${name}` : outer;
          const kind = space === 'C' ? 'closure' : space === 'S' ? 'shim' : space;
          return `${outer}::{${kind}${name ? `:${name}` : ''}#${index}}`;
        }
        case 'I': {
          const path = this.path(value);
          const args: string[] = [];
          while (!this.eat('E')) args.push(this.genericArg());
          this.spend(args.length);
          return `${path}${value ? '::' : ''}<${args.join(', ')}>`;
        }
        case 'B': return this.back(() => this.path(value));
        default: return fail();
      }
    });
  }

  private genericArg(): string {
    if (this.eat('L')) return this.lifetime();
    return this.eat('K') ? this.constant() : this.type();
  }

  private lifetime(): string {
    const index = this.base62();
    if (index === 0) return "'_";
    const depth = this.lifetimes - index;
    if (depth < 0) fail();
    return depth < 26 ? `'${String.fromCharCode(97 + depth)}` : `'_${depth}`;
  }

  /** `for<'a>` before what PARSE gives. */
  private bound(parse: () => string): string {
    const count = this.optional('G');
    if (count > 100) fail();
    const names = Array.from({ length: count }, () => {
      this.lifetimes++;
      return this.lifetimeAt(1);
    });
    const text = parse();
    this.lifetimes -= count;
    return count > 0 ? `for<${names.join(', ')}> ${text}` : text;
  }
  private lifetimeAt(index: number): string {
    const depth = this.lifetimes - index;
    return depth < 26 ? `'${String.fromCharCode(97 + depth)}` : `'_${depth}`;
  }

  private type(): string {
    return this.nested(() => {
      const tag = this.take();
      if (V0_TYPES[tag]) return V0_TYPES[tag];
      switch (tag) {
        case 'R': case 'Q': {
          const life = this.eat('L') ? this.lifetime() : "'_";
          return `&${life === "'_" ? '' : `${life} `}${tag === 'Q' ? 'mut ' : ''}${this.type()}`;
        }
        case 'P': return `*const ${this.type()}`;
        case 'O': return `*mut ${this.type()}`;
        case 'A': {
          const element = this.type();
          return `[${element}; ${this.constant()}]`;
        }
        case 'S': return `[${this.type()}]`;
        case 'T': {
          const parts: string[] = [];
          while (!this.eat('E')) parts.push(this.type());
          return `(${parts.join(', ')}${parts.length === 1 ? ',' : ''})`;
        }
        case 'F': return this.bound(() => {
          const unsafe = this.eat('U') ? 'unsafe ' : '';
          const abi = this.eat('K') ? `extern "${this.eat('C') ? 'C' : this.identifier().replace(/_/g, '-')}" ` : '';
          const args: string[] = [];
          while (!this.eat('E')) args.push(this.type());
          const result = this.eat('u') ? '' : ` -> ${this.type()}`;
          return `${unsafe}${abi}fn(${args.join(', ')})${result}`;
        });
        case 'D': {
          const traits = this.bound(() => {
            const list: string[] = [];
            while (!this.eat('E')) list.push(this.dynTrait());
            return list.join(' + ');
          });
          this.need('L');
          const life = this.lifetime();
          return `dyn ${traits}${life === "'_" ? '' : ` + ${life}`}`;
        }
        case 'B': return this.back(() => this.type());
        default:
          this.at--;
          return this.path(false);
      }
    });
  }

  private dynTrait(): string {
    let path = this.path(false);
    while (this.eat('p')) {
      const binding = `${this.identifier()} = ${this.type()}`;
      path = path.endsWith('>') ? `${path.slice(0, -1)}, ${binding}>` : `${path}<${binding}>`;
    }
    return path;
  }

  private constant(): string {
    return this.nested(() => {
      if (this.eat('B')) return this.back(() => this.constant());
      if (this.eat('p')) return '_';
      const type = this.take();
      if (!/[abchijlmnostxy]/.test(type)) fail();
      const negative = this.eat('n') ? '-' : '';
      const hex = /^[0-9a-f]*_/.exec(this.text.slice(this.at))?.[0] ?? fail();
      this.at += hex.length;
      const value = BigInt(`0x${hex.slice(0, -1) || '0'}`);
      if (type === 'b') return value === 1n ? 'true' : 'false';
      if (type === 'c') return value > 0x10ffffn ? fail() : `'${String.fromCodePoint(Number(value))}'`;
      return negative + value.toString();
    });
  }
}

/** RFC 3492, with `_` where it has `-`. */
function punycode(text: string): string {
  const cut = text.lastIndexOf('_');
  const out = Array.from(cut > 0 ? text.slice(0, cut) : '', (c) => c.codePointAt(0)!);
  let n = 128;
  let bias = 72;
  let i = 0;
  for (let at = cut + 1; at < text.length; ) {
    const before = i;
    for (let weight = 1, k = 36; ; k += 36) {
      const c = text.charCodeAt(at++);
      const digit = c >= 97 && c <= 122 ? c - 97 : c >= 48 && c <= 57 ? c - 22 : fail();
      i += digit * weight;
      const least = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
      if (digit < least) break;
      weight *= 36 - least;
      if (weight > 2 ** 40) fail();
    }
    let delta = Math.floor((i - before) / (before === 0 ? 700 : 2));
    delta += Math.floor(delta / (out.length + 1));
    let k = 0;
    for (; delta > 455; k += 36) delta = Math.floor(delta / 35);
    bias = k + Math.floor((36 * delta) / (delta + 38));
    n += Math.floor(i / (out.length + 1));
    i %= out.length + 1;
    if (n > 0x10ffff) fail();
    out.splice(i++, 0, n);
  }
  return String.fromCodePoint(...out);
}

/* ---- C++ ---- */

/** A type is written around what it declares: `void (*` … `)(int)`. */
interface Type { readonly left: string; readonly right: string; readonly pack?: readonly Type[]; readonly wraps?: boolean /* a pointer to it needs parentheses */ }

const plain = (left: string): Type => ({ left, right: '' });
const spell = (type: Type): string => (type.pack ? type.pack.map(spell).join(', ') : type.left + type.right);

const BUILTIN: Readonly<Record<string, string>> = {
  v: 'void', w: 'wchar_t', b: 'bool', c: 'char', a: 'signed char', h: 'unsigned char', s: 'short', t: 'unsigned short', i: 'int', j: 'unsigned int', l: 'long', m: 'unsigned long', x: 'long long', y: 'unsigned long long',
  n: '__int128', o: 'unsigned __int128', f: 'float', d: 'double', e: 'long double', g: '__float128', z: '...', Dd: 'decimal64', De: 'decimal128', Df: 'decimal32', Dh: 'half', Di: 'char32_t', Ds: 'char16_t', Du: 'char8_t', Da: 'auto', Dc: 'decltype(auto)', Dn: 'decltype(nullptr)',
};
const LITERAL: Readonly<Record<string, string>> = { int: '', 'unsigned int': 'u', long: 'l', 'unsigned long': 'ul', 'long long': 'll', 'unsigned long long': 'ull' };
const OPERATORS = new Map('nw new|na new[]|dl delete|da delete[]|aw co_await|ps +|ng -|ad &|de *|co ~|pl +|mi -|ml *|dv /|rm %|an &|or ||eo ^|aS =|pL +=|mI -=|mL *=|dV /=|rM %=|aN &=|oR |=|eO ^=|ls <<|rs >>|lS <<=|rS >>=|eq ==|ne !=|lt <|gt >|le <=|ge >=|ss <=>|nt !|aa &&|oo |||pp ++|mm --|cm ,|pm ->*|pt ->|cl ()|ix []|qu ?'.split(/\|(?=[a-z][a-zA-Z] )/).map((entry) => [entry.slice(0, 2), entry.slice(3)]));
const UNARY = new Set(['ps', 'ng', 'ad', 'de', 'co', 'nt', 'pp', 'mm']);
const STANDARD: Readonly<Record<string, string>> = { St: 'std', Sa: 'std::allocator', Sb: 'std::basic_string', Ss: 'std::string', Si: 'std::istream', So: 'std::ostream', Sd: 'std::iostream' };
/** As the constructors and destructors of these spell them. */
const CHARS = 'char, std::char_traits<char>';
const IN_FULL: Readonly<Record<string, string>> = { Ss: `std::basic_string<${CHARS}, std::allocator<char> >`, Si: `std::basic_istream<${CHARS} >`, So: `std::basic_ostream<${CHARS} >`, Sd: `std::basic_iostream<${CHARS} >` };
const SPECIAL: Readonly<Record<string, string>> = { TV: 'vtable for ', TT: 'VTT for ', TI: 'typeinfo for ', TS: 'typeinfo name for ', GV: 'guard variable for ', TW: 'TLS wrapper function for ', TH: 'TLS init function for ', GR: 'reference temporary for ' };

interface Name { readonly text: string; readonly templated: boolean; readonly noReturn: boolean /* constructor, destructor, conversion */; readonly quals: string }

class Itanium extends Parser {
  private readonly known: Type[] = [];
  private args: readonly Type[] | null = null;
  private packAt = -1; // the element of a pack that is being expanded
  private packSize = -1;
  private lambda = false;

  symbol(): string {
    const text = this.encoding();
    // Clones are told in words: `foo() [clone .x]`.
    const clones = /^(\.[\w]+)+$/.exec(this.text.slice(this.at));
    if (clones) return `${text} [clone ${clones[0]}]`;
    if (this.at < this.text.length) fail();
    return text;
  }

  private encoding(): string {
    return this.nested(() => {
      if ((this.peek() === 'T' || this.peek() === 'G') && this.text[this.at + 1] !== '_') return this.special();
      const outer = this.args;
      const name = this.name();
      let text = name.text;
      if (this.at < this.text.length && !'E.'.includes(this.peek())) {
        if (name.templated && !name.noReturn) this.type(); // what it returns
        text += this.parameters() + name.quals;
      }
      this.args = outer;
      return text;
    });
  }

  private special(): string {
    const two = this.slice(2);
    if (two === 'TC') {
      const derived = spell(this.type());
      this.digits();
      this.need('_');
      return `construction vtable for ${spell(this.type())}-in-${derived}`;
    }
    if (two === 'Th' || two === 'Tv' || two === 'Tc') {
      const offset = (tag: string): void => {
        this.eat('n');
        this.digits();
        this.need('_');
        if (tag === 'v') {
          this.eat('n');
          this.digits();
          this.need('_');
        }
      };
      if (two === 'Tc') {
        offset(this.take());
        offset(this.take());
      } else offset(two[1]);
      return `${two === 'Th' ? 'non-virtual thunk to ' : two === 'Tv' ? 'virtual thunk to ' : 'covariant return thunk to '}${this.encoding()}`;
    }
    if (two === 'GT') return `${this.take() === 't' ? '' : 'non-'}transaction clone for ${this.encoding()}`;
    const words = SPECIAL[two] ?? fail();
    if (two[0] === 'T' && 'VTIS'.includes(two[1])) return words + spell(this.type());
    const name = this.name().text;
    if (two !== 'GR') return words + name;
    const index = this.eat('_') ? 0 : this.digits() + 1;
    return `reference temporary #${index} for ${name}`;
  }

  /** `(int, char)`; one void is nothing. */
  private parameters(): string {
    const out: string[] = [];
    while (this.at < this.text.length && !'E.@'.includes(this.peek()) && !(this.peek() === 'R' && this.text[this.at + 1] === 'E') && !(this.two === 'OE')) {
      const text = spell(this.type());
      if (text !== '') out.push(text);
    }
    return `(${out.length === 1 && out[0] === 'void' ? '' : out.join(', ')})`;
  }

  /* names */

  private name(): Name {
    return this.nested(() => {
      if (this.peek() === 'N') return this.nestedName();
      if (this.peek() === 'Z') return this.localName();
      let text: string;
      let noReturn = false;
      if (this.peek() === 'S' && this.text[this.at + 1] !== 't') {
        text = spell(this.substitution());
        if (this.peek() !== 'I') fail();
      } else {
        const std = this.eat('St') ? 'std::' : '';
        noReturn = this.two === 'cv';
        text = std + this.unqualified('');
        if (this.peek() === 'I') this.known.push(plain(text));
      }
      if (this.peek() !== 'I') return { text, templated: false, noReturn, quals: '' };
      return { text: this.resolved(withArgs(text, this.templateArgs())), templated: true, noReturn, quals: '' };
    });
  }

  /** Conversions name a type before its parameters are known: they were marked. */
  private resolved(text: string): string {
    return text.includes('\x01') ? text.replace(/\x01(\d+)\x02/g, (_, index: string) => spell(this.args?.[Number(index)] ?? fail())) : text;
  }

  private cv(): string {
    let out = '';
    if (this.eat('r')) out = ' restrict';
    if (this.eat('V')) out = ` volatile${out}`;
    if (this.eat('K')) out = ` const${out}`;
    return out;
  }

  private nestedName(): Name {
    this.need('N');
    let quals = this.cv();
    if (this.eat('R')) quals += ' &';
    else if (this.eat('O')) quals += ' &&';
    let text = '';
    let last = '';
    let templated = false;
    let noReturn = false;
    while (!this.eat('E')) {
      let known = true;
      if (this.peek() === 'I') {
        text = this.resolved(withArgs(text, this.templateArgs()));
        templated = true;
      } else {
        templated = false;
        if (this.peek() === 'S' && this.text[this.at + 1] !== 't') {
          const two = this.two;
          text = spell(this.substitution());
          if (IN_FULL[two] && /[CD]/.test(this.peek())) text = IN_FULL[two];
          last = lastPart(text);
          known = false;
        } else if (this.peek() === 'T') {
          text = spell(this.templateParam());
          last = lastPart(text);
        } else if (this.two === 'Dt' || this.two === 'DT') text = spell(this.type());
        else if (this.eat('M')) known = false; // what follows is in the initialiser of a member
        else if (this.eat('St')) {
          text = 'std';
          known = false;
        } else {
          noReturn = /^(C[1-5I]|D[0-5])/.test(this.two) || this.two === 'cv';
          const part = this.unqualified(last);
          last = lastPart(part);
          text = text ? `${text}::${part}` : part;
        }
      }
      if (known && this.peek() !== 'E') this.known.push(plain(text));
      this.spend(text.length / 64);
    }
    return { text: this.resolved(text), templated, noReturn, quals };
  }

  private localName(): Name {
    this.need('Z');
    const outer = this.encoding();
    this.need('E');
    if (this.eat('s')) {
      this.discriminator();
      return { text: `${outer}::string literal`, templated: false, noReturn: false, quals: '' };
    }
    let where = '';
    if (this.eat('d')) {
      const index = this.eat('_') ? 1 : this.digits() + 2;
      if (index > 2 || this.peek() === '_') this.eat('_');
      where = `{default arg#${index}}::`;
    }
    const name = this.name();
    this.discriminator();
    return { ...name, text: `${outer}::${where}${name.text}` };
  }

  private discriminator(): void {
    const found = /^(__\d+_|_\d)/.exec(this.text.slice(this.at, this.at + 14));
    if (found) this.at += found[0].length;
  }

  private unqualified(last: string): string {
    this.eat('L'); // internal linkage
    let text: string;
    const next = this.peek();
    const { two } = this;
    if (/\d/.test(next)) {
      text = this.slice(this.digits());
      if (/^_GLOBAL_[._$]N/.test(text)) text = '(anonymous namespace)';
    } else if (next === 'C' && /C[1-5I]/.test(two)) {
      this.at += 2;
      if (two === 'CI') {
        this.at++;
        this.type();
      }
      text = last || fail();
    } else if (next === 'D' && /D[0-5]/.test(two)) {
      this.at += 2;
      text = `~${last || fail()}`;
    } else if (next === 'U' && two !== 'Ua') {
      this.at += 2;
      if (two === 'Ul') {
        const outer = this.lambda;
        this.lambda = true;
        const parameters = this.parameters();
        this.lambda = outer;
        this.need('E');
        text = `{lambda${parameters}#${this.index()}}`;
      } else if (two === 'Ut') text = `{unnamed type#${this.index()}}`;
      else fail();
    } else if (two === 'DC') {
      this.at += 2;
      const names: string[] = [];
      while (!this.eat('E')) names.push(this.slice(this.digits()));
      text = `[${names.join(', ')}]`;
    } else text = this.operatorName();
    while (this.eat('B')) text += `[abi:${this.slice(this.digits())}]`;
    return text;
  }

  private index(): number {
    const index = this.eat('_') ? 1 : this.digits() + 2;
    if (index > 1) this.need('_');
    return index;
  }

  private operatorName(): string {
    const two = this.slice(2);
    if (two === 'cv') {
      // Its template arguments come later; until then a parameter is a mark.
      const outer = this.args;
      this.args = null;
      const type = spell(this.type());
      this.args = outer;
      return `operator ${type}`;
    }
    if (two === 'li') return `operator"" ${this.slice(this.digits())}`;
    const sign = OPERATORS.get(two) ?? fail();
    return `operator${/^[a-z]/.test(sign) ? ' ' : ''}${sign}`;
  }

  /* substitutions and templates */

  private number36(): number {
    if (this.eat('_')) return 0;
    const found = /^[0-9A-Z]{1,6}_/.exec(this.text.slice(this.at, this.at + 7)) ?? fail();
    this.at += found[0].length;
    return parseInt(found[0], 36) + 1;
  }

  private substitution(): Type {
    const two = this.two;
    if (STANDARD[two]) {
      this.at += 2;
      let text = STANDARD[two];
      while (this.eat('B')) text += `[abi:${this.slice(this.digits())}]`;
      return plain(text);
    }
    this.need('S');
    const type = this.known[this.number36()] ?? fail();
    this.spend(type.left.length / 64);
    return type;
  }

  private templateParam(): Type {
    this.need('T');
    const index = this.eat('_') ? 0 : this.digits() + 1;
    if (index > 0) this.need('_');
    if (this.lambda) return plain(`auto:${index + 1}`);
    if (!this.args) return plain(`\x01${index}\x02`);
    const arg = this.args[index] ?? fail();
    if (!arg.pack || this.packAt < 0) return arg;
    this.packSize = arg.pack.length;
    return arg.pack[this.packAt] ?? plain('');
  }

  private templateArgs(): readonly Type[] {
    this.need('I');
    const args: Type[] = [];
    while (!this.eat('E')) args.push(this.templateArg());
    return (this.args = args);
  }

  private templateArg(): Type {
    return this.nested(() => {
      if (this.eat('L')) return plain(this.literal());
      if (this.eat('X')) {
        const text = this.expression();
        this.need('E');
        return plain(text);
      }
      if (this.eat('J')) {
        const pack: Type[] = [];
        while (!this.eat('E')) pack.push(this.templateArg());
        return { left: '', right: '', pack };
      }
      return this.inner(() => this.type());
    });
  }

  /** Template arguments inside belong to what is inside. */
  private inner<T>(parse: () => T): T {
    const outer = this.args;
    const value = parse();
    this.args = outer;
    return value;
  }

  /* types */

  private type(): Type {
    return this.nested(() => {
      const quals = this.cv();
      if (quals) {
        const inner = this.type();
        // The qualifiers of a function type stand behind it.
        const made = inner.wraps && inner.right.startsWith('(') ? { ...inner, right: inner.right + quals } : { ...inner, left: inner.left + quals };
        this.known.push(made);
        return made;
      }
      const builtin = BUILTIN[this.peek()] && this.peek() !== 'D' ? this.peek() : this.peek() === 'D' && BUILTIN[this.two] ? this.two : '';
      if (builtin) {
        this.at += builtin.length;
        return plain(BUILTIN[builtin]);
      }
      const type = this.compound();
      if (type.kept) return type.type;
      this.known.push(type.type);
      this.spend(type.type.left.length / 64);
      return type.type;
    });
  }

  /** KEPT: it is among the substitutions already. */
  private compound(): { type: Type; kept: boolean } {
    const fresh = (type: Type): { type: Type; kept: boolean } => ({ type, kept: false });
    switch (this.peek()) {
      case 'P': case 'R': case 'O': {
        const mark = { P: '*', R: '&', O: '&&' }[this.take() as 'P'];
        return fresh(pointer(this.type(), mark));
      }
      case 'F': return fresh(this.functionType());
      case 'A': {
        this.at++;
        const size = /\d/.test(this.peek()) ? String(this.digits()) : this.peek() === '_' ? '' : this.expression();
        this.need('_');
        const element = this.type();
        return fresh({ left: element.left, right: ` [${size}]${element.right.replace(/^ /, '')}`, wraps: true });
      }
      case 'M': {
        this.at++;
        const owner = spell(this.type());
        const member = this.type();
        return fresh(member.wraps ? { left: `${member.left.trimEnd()} (${owner}::*`, right: `)${member.right}` } : { left: `${member.left} ${owner}::*`, right: member.right });
      }
      case 'T': {
        if (/^T[sue]/.test(this.two)) {
          this.at += 2;
          return { type: plain(this.className()), kept: true };
        }
        const param = this.templateParam();
        this.known.push(param);
        if (this.peek() !== 'I' || this.lambda || !this.args) return { type: param, kept: true };
        return fresh(plain(withArgs(spell(param), this.inner(() => this.templateArgs()))));
      }
      case 'S': {
        if (this.two === 'St') return this.className2();
        const found = this.substitution();
        if (this.peek() !== 'I') return { type: found, kept: true };
        return fresh(plain(withArgs(spell(found), this.inner(() => this.templateArgs()))));
      }
      case 'D': return this.dType();
      case 'U': {
        this.at++;
        const extension = this.slice(this.digits());
        const args = this.peek() === 'I' ? withArgs('', this.inner(() => this.templateArgs())) : '';
        const inner = this.type();
        return fresh({ ...inner, left: `${inner.left} ${extension}${args}` });
      }
      case 'C': case 'G': {
        const word = this.take() === 'C' ? ' _Complex' : ' _Imaginary';
        const inner = this.type();
        return fresh({ ...inner, left: inner.left + word });
      }
      case 'u': this.at++; return fresh(plain(this.slice(this.digits())));
      default: return this.className2();
    }
  }

  private className(): string {
    return this.inner(() => this.name().text);
  }
  private className2(): { type: Type; kept: boolean } {
    return { type: plain(this.className()), kept: false };
  }

  private dType(): { type: Type; kept: boolean } {
    const two = this.slice(2);
    if (two === 'Dt' || two === 'DT') {
      const text = `decltype (${this.expression()})`;
      this.need('E');
      return { type: plain(text), kept: false };
    }
    if (two === 'Dp') return { type: this.expansion(() => this.type()), kept: false };
    if (two === 'Do') return { type: this.functionType(' noexcept'), kept: false };
    if (two === 'Dv') {
      const size = /\d/.test(this.peek()) ? String(this.digits()) : (this.need('_'), this.expression());
      this.need('_');
      return { type: plain(`${spell(this.type())} __vector(${size})`), kept: false };
    }
    if (two === 'DF') {
      const bits = this.digits();
      this.take();
      return { type: plain(`_Float${bits}`), kept: true };
    }
    return fail();
  }

  /** What PARSE gives once for each element of the pack in it. */
  private expansion(parse: () => Type): Type {
    const from = this.at;
    const outer = [this.packAt, this.packSize] as const;
    this.packAt = 0;
    this.packSize = -1;
    const first = parse();
    const size = this.packSize;
    const all: Type[] = size === 0 ? [] : [first];
    const to = this.at;
    for (let i = 1; i < size; i++) {
      const kept = this.known.length;
      this.at = from;
      this.packAt = i;
      all.push(parse());
      this.known.length = kept;
    }
    this.at = to;
    [this.packAt, this.packSize] = outer;
    return size < 0 ? { left: `${first.left}${first.right}...`, right: '' } : { left: '', right: '', pack: all };
  }

  private functionType(marks = ''): Type {
    this.need('F');
    this.eat('Y');
    const result = this.type();
    const parameters = this.parameters();
    const ref = this.eat('R') ? ' &' : this.eat('O') ? ' &&' : '';
    this.need('E');
    return { left: `${result.left} `, right: `${parameters}${ref}${marks}${result.right}`, wraps: true };
  }

  /* expressions: those that names of real programs have */

  private literal(): string {
    if (this.eat('_Z') || this.eat('Z')) {
      const text = this.encoding();
      this.need('E');
      return text;
    }
    const type = spell(this.type());
    const value = /^n?[0-9a-zA-Z.]*?(?=E)/.exec(this.text.slice(this.at))?.[0] ?? fail();
    this.at += value.length;
    this.need('E');
    const digits = value.replace(/^n/, '-');
    if (type === 'bool' && (digits === '0' || digits === '1')) return digits === '1' ? 'true' : 'false';
    if (type === 'decltype(nullptr)' && digits === '') return '(decltype(nullptr))0';
    return LITERAL[type] === undefined ? `(${type})${digits}` : digits + LITERAL[type];
  }

  private simpleName(): string {
    const name = this.unqualified('');
    return this.peek() === 'I' ? withArgs(name, this.inner(() => this.templateArgs())) : name;
  }

  private expression(): string {
    return this.nested(() => {
      if (this.eat('L')) return this.literal();
      if (this.peek() === 'T') return spell(this.templateParam());
      const { two } = this;
      if (two === 'fp' || two === 'fL') {
        this.at += 2;
        if (two === 'fL') this.digits();
        this.cv();
        return `{parm#${this.index()}}`;
      }
      if (two === 'sr') {
        this.at += 2;
        if (!/\d/.test(this.peek())) return `${spell(this.type())}::${this.simpleName()}`;
        const levels: string[] = [];
        while (/\d/.test(this.peek())) levels.push(this.simpleName());
        if (this.eat('E')) levels.push(this.simpleName());
        return levels.join('::');
      }
      if (two === 'sp') {
        this.at += 2;
        return spell(this.expansion(() => plain(this.expression())));
      }
      if (two === 'st' || two === 'sz' || two === 'sZ') {
        this.at += 2;
        if (two === 'st') return `sizeof (${spell(this.type())})`;
        return two === 'sz' ? `sizeof (${this.expression()})` : `sizeof...(${this.expression()})`;
      }
      if (/\d/.test(this.peek())) return this.simpleName();
      this.at += 2;
      if (two === 'cl') {
        const callee = this.expression();
        const args: string[] = [];
        while (!this.eat('E')) args.push(this.expression());
        return `${operand(callee)}(${args.join(', ')})`;
      }
      if (two === 'cv') {
        const type = spell(this.type());
        if (!this.eat('_')) return `(${type})${operand(this.expression())}`;
        const args: string[] = [];
        while (!this.eat('E')) args.push(this.expression());
        return `(${type})(${args.join(', ')})`;
      }
      if (two === 'dt' || two === 'pt') return `${operand(this.expression())}${two === 'dt' ? '.' : '->'}${this.expression()}`;
      const sign = OPERATORS.get(two) ?? fail();
      if (UNARY.has(two)) {
        if (two === 'pp' || two === 'mm') this.eat('_');
        return `${sign}${operand(this.expression())}`;
      }
      const left = this.expression();
      const right = this.expression();
      if (two === 'qu') return `${operand(left)}?${operand(right)} : ${operand(this.expression())}`;
      const text = two === 'ix' ? `${operand(left)}[${right}]` : `${operand(left)}${sign}${operand(right)}`;
      return two === 'gt' ? `(${text})` : text;
    });
  }
}

function operand(text: string): string {
  return /^[\w:]+$/.test(text) && !/^\d/.test(text) || /^\{parm#\d+\}$/.test(text) ? text : `(${text})`;
}

function pointer(to: Type, mark: string): Type {
  if (to.pack) return { left: '', right: '', pack: to.pack.map((one) => pointer(one, mark)) };
  if (to.wraps) return { left: `${to.left.trimEnd()} (${mark}`, right: `)${to.right}` };
  // A reference to a reference is one; to an rvalue reference, too.
  if (mark !== '*' && to.left.endsWith('&')) return mark === '&' ? { ...to, left: to.left.replace(/&+$/, '&') } : to;
  return { ...to, left: to.left + mark };
}

function withArgs(name: string, args: readonly Type[]): string {
  const text = args.map(spell).filter((arg) => arg !== '').join(', ');
  return `${name}${name.endsWith('<') ? ' ' : ''}<${text}${text.endsWith('>') ? ' ' : ''}>`;
}

/** The last part of a qualified name without its template arguments: what a constructor is called. */
function lastPart(tagged: string): string {
  const text = tagged.replace(/(\[abi:\w+\])+$/, '');
  let angle = 0;
  let end = text.length;
  for (let at = text.length - 1; at >= 0; at--) {
    const c = text[at];
    if (c === '>' || c === ')' || c === '}') angle++;
    else if (c === '<' || c === '(' || c === '{') {
      if (--angle === 0 && c === '<') end = at;
    } else if (c === ':' && angle === 0) return text.slice(at + 1, end);
  }
  return text.slice(0, end);
}
