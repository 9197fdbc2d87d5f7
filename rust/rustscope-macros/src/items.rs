//! `#[profile_all]`: the functions of an `impl` block or of a module.

use crate::function::{
    after_angles, after_attributes, after_visibility, is_group, is_punct, unwrapped, word, Function,
};
use crate::{error, Result};
use proc_macro::{Delimiter, Group, Span, TokenStream, TokenTree};

enum Kind {
    Function,
    Impl,
    Module,
    Other,
}

/// The first word that says what an item is.
fn kind_of(tokens: &[TokenTree]) -> (Kind, bool) {
    let mut at = after_visibility(tokens, after_attributes(tokens, 0));
    let mut ends_with_semicolon = false;
    let kind = loop {
        match word(tokens.get(at)).as_str() {
            "fn" => break Kind::Function,
            "impl" => break Kind::Impl,
            "mod" => break Kind::Module,
            "const" => ends_with_semicolon = true, /* until a `fn` is found behind it */
            "use" | "static" | "type" => {
                ends_with_semicolon = true;
                break Kind::Other;
            }
            "async" | "unsafe" | "default" | "safe" | "extern" => {}
            _ if matches!(tokens.get(at), Some(TokenTree::Literal(_))) => {}
            _ => break Kind::Other,
        }
        at += 1;
    };
    (kind, ends_with_semicolon)
}

/// The items in the braces of an `impl` or `mod`, one after the other.
fn split_items(body: TokenStream) -> Vec<Vec<TokenTree>> {
    let tokens: Vec<TokenTree> = body.into_iter().collect();
    let mut items = Vec::new();
    let mut at = 0;

    while at < tokens.len() {
        let start = at;
        let (kind, ends_with_semicolon) = kind_of(&tokens[start..]);
        let by_semicolon = ends_with_semicolon && !matches!(kind, Kind::Function | Kind::Impl | Kind::Module);

        at = after_attributes(&tokens, at);
        while at < tokens.len() {
            if is_punct(tokens.get(at), ';') || (!by_semicolon && is_group(tokens.get(at), Delimiter::Brace)) {
                at += 1;
                break;
            }
            /* `Array<{ N + 1 }>` in a signature is no body. */
            if matches!(kind, Kind::Function | Kind::Impl) && is_punct(tokens.get(at), '<') {
                at = after_angles(&tokens, at);
            } else {
                at += 1;
            }
        }
        items.push(tokens[start..at].to_vec());
    }
    items
}

/// Is there an attribute `#[profile…]`, under whatever path?
fn has_own_attribute(tokens: &[TokenTree]) -> bool {
    let end = after_attributes(tokens, 0);

    tokens[..end].iter().any(|token| match token {
        TokenTree::Group(group) => {
            let inside: Vec<TokenTree> = group.stream().into_iter().collect();
            let path = inside.iter().take_while(|t| matches!(t, TokenTree::Ident(_)) || is_punct(Some(t), ':'));

            matches!(word(path.last()).as_str(), "profile" | "profile_all")
        }
        _ => false,
    })
}

/// The names in `skip(a, b)`.
fn skipped(attr: TokenStream) -> Result<Vec<String>> {
    let tokens = unwrapped(attr);
    let span = tokens.first().map_or_else(Span::call_site, TokenTree::span);

    match tokens.as_slice() {
        [] => Ok(Vec::new()),
        [TokenTree::Ident(ident), TokenTree::Group(names)] if ident.to_string() == "skip" => {
            names.stream().into_iter().try_fold(Vec::new(), |mut all, token| {
                match &token {
                    TokenTree::Ident(name) => all.push(name.to_string()),
                    token if is_punct(Some(token), ',') => {}
                    token => return error(token.span(), "`skip` takes names of functions: `skip(new, len)`"),
                }
                Ok(all)
            })
        }
        _ => error(span, "known here: `skip(a, b)`"),
    }
}

fn measured_item(item: Vec<TokenTree>, skip: &[String]) -> Result<TokenStream> {
    if has_own_attribute(&item) {
        return Ok(item.into_iter().collect());
    }
    match kind_of(&item).0 {
        Kind::Function => {
            let unchanged: TokenStream = item.iter().cloned().collect();

            match Function::parse(unwrapped(unchanged.clone()))? {
                Some(function) if !function.is_const && !skip.contains(&function.name) => Ok(function.measured(None)),
                _ => Ok(unchanged),
            }
        }
        Kind::Impl => measured_inside(item, skip),
        Kind::Module if is_group(item.last(), Delimiter::Brace) => measured_inside(item, skip),
        _ => Ok(item.into_iter().collect()),
    }
}

fn measured_inside(mut item: Vec<TokenTree>, skip: &[String]) -> Result<TokenStream> {
    let mut inside = TokenStream::new();
    let body = match item.pop() {
        Some(TokenTree::Group(group)) => group,
        _ => {
            return error(Span::call_site(), "`#[profile_all]` needs the items: a `mod` with its braces, or an `impl`")
        }
    };
    let stream: Vec<TokenTree> = body.stream().into_iter().collect();
    let mut at = 0;

    while is_punct(stream.get(at), '#') && is_punct(stream.get(at + 1), '!') {
        at += 3;
    }
    inside.extend(stream[..at.min(stream.len())].iter().cloned());
    for one in split_items(stream.into_iter().skip(at).collect()) {
        inside.extend(measured_item(one, skip)?);
    }
    let mut group = Group::new(Delimiter::Brace, inside);
    group.set_span(body.span());
    let mut all: TokenStream = item.into_iter().collect();
    all.extend([TokenTree::from(group)]);
    Ok(all)
}

pub(crate) fn profile_all(attr: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let skip = skipped(attr)?;
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();

    if let [TokenTree::Group(group)] = tokens.as_slice() {
        if group.delimiter() == Delimiter::None {
            tokens = group.stream().into_iter().collect();
        }
    }
    let span = tokens.get(after_attributes(&tokens, 0)).map_or_else(Span::call_site, TokenTree::span);
    if !is_group(tokens.last(), Delimiter::Brace) {
        return error(span, "`#[profile_all]` needs the items: an `impl`, or a `mod` with its braces");
    }
    match kind_of(&tokens).0 {
        Kind::Impl | Kind::Module => measured_inside(tokens, &skip),
        _ => error(span, "`#[profile_all]` stands before an `impl` or a `mod`; for a function there is `#[profile]`"),
    }
}
