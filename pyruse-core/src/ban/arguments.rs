//! The arguments of a ban action: what all of them have in common is written here once, with its documentation.
//!
//! It is a macro, because serde's `flatten` would lose the position of an error and accept members that are not known.

/// Defines `Args`, the arguments of a firewall's action, and how they become [`BanArgs`](crate::ban::BanArgs). The
/// firewall adds the arguments that name its sets (one if addresses of both families are in one set), and sentences to
/// the documentation of the common ones.
///
/// ```
/// pyruse_core::ban_arguments! {
///     banSeconds {}
///     sets {
///         /// The file for IPv4 addresses.
///         #[serde(rename = "denyIPv4")]
///         v4: String,
///         /// The file for IPv6 addresses; absent: the same.
///         #[serde(rename = "denyIPv6", default)]
///         v6: Option<String>,
///     } => [v4.clone(), v6.unwrap_or(v4)]
///     prefixes {
///         /// The file must be read by a program that knows networks.
///     }
///     allowSpecial {}
/// }
/// # fn main() {
/// let args = r#"{"IP": "ip", "banSeconds": "1h", "denyIPv4": "ssh"}"#;
/// let args: pyruse_core::ban::BanArgs = serde_json::from_str::<Args>(args).unwrap().into();
/// assert_eq!(args.sets, ["ssh", "ssh"]);
/// # }
/// ```
#[macro_export]
macro_rules! ban_arguments {
    (
        banSeconds { $(#[doc = $seconds:literal])* }
        sets {
            $(#[$about_v4:meta])* $v4:ident: $v4_type:ty,
            $($(#[$about_v6:meta])* $v6:ident: $v6_type:ty,)?
        } => [$of_v4:expr, $of_v6:expr]
        prefixes { $(#[doc = $prefixes:literal])* }
        allowSpecial { $(#[doc = $special:literal])* }
    ) => {
        #[derive($crate::serde::Deserialize, $crate::schemars::JsonSchema)]
        #[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
        #[schemars(crate = "pyruse_core::schemars")]
        struct Args {
            /// The field with the address to ban.
            #[serde(rename = "IP")]
            ip: String,
            /// The duration from the entry's time, in seconds or as `1h` or `7d`; absent or 0: for ever. Of a list, the
            /// n-th ban of an address in this set has the n-th duration, and further ones the last. `{"field": NAME}`:
            /// the entry has it in that field.
            $(#[doc = $seconds])*
            #[serde(rename = "banSeconds", default)]
            ban_seconds: $crate::ban::BanSeconds,
            /// How long a ban counts for a list, in seconds or as `30d`, which is the default.
            #[serde(rename = "rememberSeconds", default)]
            remember_seconds: Option<$crate::seconds::Seconds>,
            $(#[$about_v4])*
            $v4: $v4_type,
            $($(#[$about_v6])*
            $v6: $v6_type,)?
            /// How many bits of an IPv4 address make the network that is banned, e.g. 24; absent: the address alone.
            $(#[doc = $prefixes])*
            #[serde(default)]
            prefix4: Option<u8>,
            /// How many bits of an IPv6 address make the network that is banned, e.g. 64; absent: the address alone.
            $(#[doc = $prefixes])*
            #[serde(default)]
            prefix6: Option<u8>,
            /// Also ban loopback, multicast, broadcast and unspecified addresses. By default they are refused: no remote
            /// host has one, so a ban would affect your own services.
            $(#[doc = $special])*
            #[serde(rename = "allowSpecial", default)]
            allow_special: bool,
            /// Also accept a network in the field `IP`, such as `192.0.2.0/24`, at most as wide as a /8 of IPv4 or a /16 of
            /// IPv6. By default, only an address is accepted: a network in a text that anybody can write would ban
            /// strangers.
            #[serde(rename = "allowNetworks", default)]
            allow_networks: bool,
            /// Lift the ban of the address in this set, if there is one, instead of banning it. It needs the same
            /// prefixes as the step that bans.
            #[serde(default)]
            lift: bool,
        }

        impl From<Args> for $crate::ban::BanArgs {
            fn from(args: Args) -> $crate::ban::BanArgs {
                let $v4 = args.$v4;
                $(let $v6 = args.$v6;)?
                $crate::ban::BanArgs {
                    ip: args.ip,
                    duration: args.ban_seconds,
                    remember: args.remember_seconds,
                    sets: [$of_v4, $of_v6],
                    prefixes: [args.prefix4, args.prefix6],
                    allow_special: args.allow_special,
                    allow_networks: args.allow_networks,
                    lift: args.lift,
                }
            }
        }
    };
}
