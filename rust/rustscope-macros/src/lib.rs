//! The attributes of the crate `rustscope`, which re-exports and documents them.
//!
//! Written on `proc_macro` alone. Functions are never parsed whole: what is needed is where the signature's parts lie and
//! which group is the body; everything else passes through token by token, with its spans, so that the compiler's
//! messages point where they pointed before.

extern crate proc_macro;

mod function;
mod items;

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// What is wrong, and where.
pub(crate) struct Error(Span, String);

pub(crate) type Result<T> = std::result::Result<T, Error>;

pub(crate) fn error<T>(span: Span, sentence: impl Into<String>) -> Result<T> {
    Err(Error(span, sentence.into()))
}

impl Error {
    fn to_tokens(&self) -> TokenStream {
        let mut text = Literal::string(&self.1);
        let mut bang = Punct::new('!', Spacing::Alone);
        let mut end = Punct::new(';', Spacing::Alone);

        text.set_span(self.0);
        bang.set_span(self.0);
        end.set_span(self.0);
        let mut group = Group::new(Delimiter::Parenthesis, TokenStream::from(TokenTree::from(text)));
        group.set_span(self.0);
        [
            TokenTree::from(Ident::new("compile_error", self.0)),
            TokenTree::from(bang),
            TokenTree::from(group),
            TokenTree::from(end),
        ]
        .into_iter()
        .collect()
    }
}

/// Rust text of ours, balanced, with names that do not meet the user's.
pub(crate) fn ours(text: &str) -> TokenStream {
    fn respan(tokens: TokenStream) -> TokenStream {
        tokens
            .into_iter()
            .map(|mut token| {
                if let TokenTree::Group(group) = &token {
                    token = TokenTree::Group(Group::new(group.delimiter(), respan(group.stream())));
                }
                token.set_span(Span::mixed_site());
                token
            })
            .collect()
    }
    respan(text.parse().expect("generated text is balanced"))
}

fn finish(item: TokenStream, result: Result<TokenStream>) -> TokenStream {
    match result {
        Ok(tokens) => tokens,
        // The item stays, so that nothing that uses it is an error as well.
        Err(e) => [e.to_tokens(), item].into_iter().collect(),
    }
}

#[proc_macro_attribute]
pub fn profile(attr: TokenStream, item: TokenStream) -> TokenStream {
    if !cfg!(feature = "enabled") {
        return item;
    }
    finish(item.clone(), function::profile(attr, item))
}

#[proc_macro_attribute]
pub fn profile_all(attr: TokenStream, item: TokenStream) -> TokenStream {
    if !cfg!(feature = "enabled") {
        return item;
    }
    finish(item.clone(), items::profile_all(attr, item))
}

#[proc_macro_attribute]
pub fn benchmark(attr: TokenStream, item: TokenStream) -> TokenStream {
    finish(item.clone(), function::benchmark(attr, item, cfg!(feature = "enabled")))
}
