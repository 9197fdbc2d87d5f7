// SPDX-License-Identifier: MIT
import { describe, expect, test } from 'vitest';
import { random } from '../fixtures/session';
import { demangle } from './demangle';

describe('linkage names', () => {
  test.each([
    // as the CLI's demangler has them (tests/unit/test_demangle.c)
    ['_ZNSt6vectorIiSaIiEE9push_backERKi', 'std::vector<int, std::allocator<int> >::push_back(int const&)'],
    ['_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE', 'core::fmt::Write::write_fmt'],
    ['_RNvMNtCs1234_7mycrate3fooNtB2_3Bar3baz', '<mycrate::foo::Bar>::baz'],
    ['_ZN4core3ptr4read17h0123456789abcdefE.llvm.16', 'core::ptr::read'],
    ['_Z3foov.cold', 'foo()'],
    ['_Z3foov.part.0.isra.1', 'foo()'],
    ['_ZdlPvm@plt', 'operator delete(void*, unsigned long)@plt'],
    ['_Zgarbage', '_Zgarbage'],
    ['_R', '_R'],
    // and what those do not reach
    ['__ZN4core3ptr4read17h0123456789abcdefE', 'core::ptr::read'],
    ['_ZN64_$LT$alloc..vec..Vec$LT$T$C$A$GT$$u20$as$u20$core..ops..Drop$GT$4drop17h0123456789abcdefE', '<alloc::vec::Vec<T,A> as core::ops::Drop>::drop'],
    ['_RNCNvCs1234_7mycrate4main0', 'mycrate::main::{closure#0}'],
    ['_RINvNtCs1234_4core3mem4swapReE', 'core::mem::swap::<&str>'],
    ['_RNvXCs1234_1aTlmENtB2_1T1f', '<(i32, u32) as a::T>::f'],
    ['_RINvCs1234_1a1fAhj10_FUKCPcEuE', 'a::f::<[u8; 16], unsafe extern "C" fn(*const char)>'],
    ['_RNvCs1234_1au9bcher_kva', 'a::bücher'],
    ['_Z1fPFviE', 'f(void (*)(int))'],
    ['_Z1fRA5_KcM1AFvvEMS2_i', 'f(char const (&) [5], void (A::*)(), int A::*)'],
    ['_Z1fIJidEEvDpT_', 'f<int, double>(int, double)'],
    ['_Z1fILi3ELb1EEvv', 'f<3, true>()'],
    ['_ZZN1A3runEvENKUliE_clEi', 'A::run()::{lambda(int)#1}::operator()(int) const'],
    ['_ZN12_GLOBAL__N_11gEv', '(anonymous namespace)::g()'],
    ['_ZNSsC1EPKc', 'std::basic_string<char, std::char_traits<char>, std::allocator<char> >::basic_string(char const*)'],
    ['_ZN1BIiEcvT_Ev', 'B<int>::operator int()'],
    ['_ZN1AcvT_IiEEv', 'A::operator int<int>()'],
    ['_ZTVN4till4BillE', 'vtable for till::Bill'],
    ['_ZThn16_N4till4Bill3addEi', 'non-virtual thunk to till::Bill::add(int)'],
    ['_ZN4till4readB5cxx11Ev_[k]', 'till::read[abi:cxx11]()_[k]'],
  ])('%s', (mangled, wanted) => {
    expect(demangle(mangled)).toBe(wanted);
  });
  test.each(['main', '', '_', '_start', 'Zed', '__libc_start_main', '_ZN', '_ZNSt', '_RNv', 'constructor', '_Z1'])('“%s” stays as it is', (name) => expect(demangle(name)).toBe(name));
  test('what a short name stands for may not be endless', () => {
    let name = '_Z1fI';
    for (let i = 0; i < 60; i++) name += 'T_S_'.repeat(3);
    const bomb = `_Z1fISt4pairI${'St4pairIiiES_'.repeat(40)}${'E'.repeat(60)}v`;
    for (const one of [name, bomb, `_Z1f${'P'.repeat(5000)}i`, `_RINvC1a1f${'T'.repeat(3000)}`, `_RNvC1a1f${'B_'.repeat(100)}`]) {
      const started = Date.now();
      expect(demangle(one).length).toBeLessThan(20_000);
      expect(Date.now() - started).toBeLessThan(200);
    }
  });
  test('damaged names are left or read, and soon', () => {
    const next = random(5);
    const seeds = ['_ZNSt6vectorIiSaIiEE9push_backERKi', '_ZZN1A3runEvENKUliE_clEi', '_Z1fIJidEEvDpT_', '_RINvCs1234_1a1fAhj10_FUKCPcEuE', '_RNvXCs1234_1aTlmENtB2_1T1f', '_ZN4core3ptr4read17h0123456789abcdefE', '_ZN4llvm18checkedAddIlEENSt9enable_ifIXsr3std9is_signedIT_EE5valueENS_8OptionalIS2_EEE4typeES2_S2_'];
    const letters = 'NSIEJTDPROKFXLZst0123456789_abcfhijlmvxC.$';
    for (let round = 0; round < 20_000; round++) {
      const text = Array.from(seeds[round % seeds.length]);
      for (let edits = 1 + Math.floor(next() * 3); edits > 0; edits--) text.splice(2 + Math.floor(next() * (text.length - 2)), Math.floor(next() * 3), ...(next() < 0.6 ? [letters[Math.floor(next() * letters.length)]] : []));
      expect(typeof demangle(text.join(''))).toBe('string');
    }
  });
});
